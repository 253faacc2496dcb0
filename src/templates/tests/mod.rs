mod queries;
mod rules;
