//! Thousands of random edits on both sides, with everything that can go wrong in between: in the end both agree, every
//! conflict is settled as its policy says, no comment is lost or doubled, and nothing is written any more.

mod agreement;
mod analysts;
mod courier;

use fastrand::Rng;
use simulator::SimulatorConfig;

use self::analysts::Analysts;
use self::courier::Courier;

const INCIDENTS: usize = 30;
const ROUNDS: usize = 10;
const EDITS_A_ROUND: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_edits_on_both_sides_end_in_agreement() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = INCIDENTS;
    config.incidents.evidence_per_alert = 0;
    let mut courier = Courier::start(config, Rng::with_seed(5)).await;
    let mut analysts = Analysts::new(Rng::with_seed(6));
    courier.until_quiet().await;
    for round in 0..ROUNDS {
        courier.strike();
        for edit in 0..EDITS_A_ROUND {
            analysts.edit(courier.simulator());
            if edit % 20 == 19 {
                courier.carry().await;
            }
            if edit % 250 == 249 {
                courier.kill().await;
            }
        }
        courier.calm();
        courier.until_quiet().await;
        agreement::check(courier.simulator(), &analysts, round);

        // Now only one thing goes wrong: everybody decides the same things differently while nobody listens.
        courier.stop_listening().await;
        let expected = analysts.disagree(courier.simulator(), round % 2 == 0);
        courier.listen();
        courier.until_quiet().await;
        agreement::check(courier.simulator(), &analysts, round);
        for expected in expected {
            expected.check(courier.simulator());
        }
    }
    assert_eq!(analysts.edits, ROUNDS * EDITS_A_ROUND);

    // A minute long everything is brought again and again.
    let writes = courier.simulator().writes().len();
    for _ in 0..60 {
        courier.carry_everything().await;
        courier.until_idle().await;
        courier.a_second().await;
    }
    let after = courier.simulator().writes();
    assert_eq!(after.len(), writes, "written though nothing changed: {:#?}", &after[writes..]);
}
