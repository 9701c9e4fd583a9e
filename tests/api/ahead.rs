//! Tests that wait for minutes. Tests are begun in the order of their names: these begin ahead of the others, which run beside them.

use crate::behaviour::tls;

#[tokio::test]
async fn a_server_that_serves_what_nobody_trusts_is_replaced_when_there_is_no_other_way_and_its_entries_are_kept() {
    tls::a_server_that_serves_what_nobody_trusts_is_replaced_when_there_is_no_other_way_and_its_entries_are_kept()
        .await;
}
