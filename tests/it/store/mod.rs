//! The store's conformance suite. A law is a plain function over a [`bench::Database`], and every law that is not
//! about one database in particular holds on SQLite and on PostgreSQL alike.
//!
//! The list below is the only place where a law is named besides its own; a law that is left out of it is dead
//! code and fails the build.

mod batch;
mod bench;
mod calls;
mod checks;
mod claims;
mod grants;
mod leases;
mod lists;
mod postgres;
mod races;
mod rings;
mod rotation;
mod rows;
mod sealing;
mod state;
mod sweeping;
mod transactions;
mod upgrades;
mod words;

macro_rules! laws {
    ($($place:ident = $open:path { $($room:ident { $($law:ident)* })* })*) => {$(
        mod $place {$(
            mod $room {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::super::$room::$law($open()).await;
                }
            )*}
        )*}
    )*};
}

/// Laws for both databases.
macro_rules! both {
    ($($rooms:tt)*) => {
        laws! {
            on_sqlite = crate::store::bench::Database::sqlite { $($rooms)* }
            on_postgres = crate::store::bench::Database::postgres { $($rooms)* }
        }
    };
}

both! {
    state {
        every_field_of_a_session_reads_back
        every_field_of_an_attempt_reads_back
        every_field_of_an_account_reads_back
        every_field_of_an_api_key_reads_back
        every_field_of_an_endpoint_and_an_event_reads_back
        every_field_of_a_delivery_and_its_tries_reads_back
        a_change_touches_only_what_may_change
        an_open_session_past_its_time_has_expired_without_being_written
        a_status_keeps_its_time_until_it_changes
        what_is_not_there_is_told_apart_from_what_is
    }
    words {
        every_word_reads_back
        an_unknown_word_is_corrupt_and_never_shown
        letter_case_is_significant_everywhere
        names_of_sixty_four_kilobytes_and_any_script_are_kept
    }
    lists {
        sessions_come_newest_first_in_pages_and_by_filter
        accounts_come_oldest_first_in_pages_and_by_name
        deliveries_come_newest_first_and_by_filter
        what_a_page_names_is_read_at_once
        ids_of_one_millisecond_order_by_their_bytes
        keys_come_oldest_first_and_end_once
    }
    sealing {
        nothing_secret_is_written_in_clear
        equal_secrets_do_not_look_equal
        bytes_moved_to_another_row_are_corrupt
        an_older_value_of_the_same_row_is_corrupt
        bytes_moved_to_another_column_are_corrupt
        cut_and_empty_bytes_are_corrupt
    }
    rings {
        a_new_database_names_no_key
        a_database_that_cannot_answer_is_not_taken_for_a_new_one
        a_ring_that_lacks_a_key_is_refused_by_name
        an_added_key_opens_and_seals_what_follows
        a_key_of_the_same_name_with_other_bytes_is_refused
        two_fresh_rings_cannot_both_found_one_database
        values_of_the_installation_are_made_once
    }
    rotation {
        a_key_seals_only_when_every_live_node_holds_it
        a_node_that_starts_without_an_added_key_is_refused
        a_node_that_left_is_not_waited_for
        a_ring_that_lacks_a_key_in_use_is_not_loaded
        everything_is_sealed_again_a_row_at_a_time_and_nothing_twice
        a_retired_key_is_not_needed_and_never_seals_again
        changes_and_sealing_again_race_without_losing_either
    }
    sweeping {
        an_ended_session_goes_with_everything_that_belongs_to_it
        open_sessions_and_their_events_stay
        an_account_keeps_its_latest_event_and_its_count
        what_waits_is_counted
    }
    transactions {
        what_succeeds_is_there_and_what_fails_leaves_nothing
        a_failed_write_wakes_nobody_and_a_committed_one_wakes_afterwards
        a_write_sees_its_own_rows_and_others_do_not_before_it_commits
        a_write_whose_caller_went_away_completes
        closing_waits_for_writes_whose_callers_went_away
        a_panicking_write_hurts_nobody_else
        a_swallowed_conflict_is_never_answered_with_lost_rows
        events_count_from_one_without_gaps
        an_outbox_row_commits_with_its_fact_or_not_at_all
    }
    races {
        one_of_two_hundred_wins_each_version_of_a_session
        one_of_a_hundred_takes_an_attempt
        one_of_fifty_inserts_an_identity_under_one_name
        without_a_name_nothing_is_merged
        a_hundred_racing_events_are_numbered_without_gaps
        twenty_replays_at_once_tell_a_fact_under_one_id
        nodes_that_start_at_once_share_one_schema
    }
    claims {
        eight_workers_on_two_nodes_claim_each_delivery_once_and_in_order
        only_the_head_of_a_subject_is_leased
        a_head_that_waits_for_its_next_try_holds_its_subject
        a_dead_head_lets_the_next_go
        a_replay_keeps_its_id_and_skips_the_order
        what_is_being_tried_is_not_replayed
        a_claim_keeps_to_its_lane_its_limit_and_the_time
        lanes_that_can_only_wait_hide_no_other
        lanes_of_endpoints_that_stand_are_found_whatever_else_waits
        what_was_being_told_during_a_replay_is_told_again_behind_it
        what_failed_or_was_asked_for_alone_is_not_told_again_behind_a_replay
        two_calls_that_crossed_are_told_again_in_order
        what_is_due_further_ahead_than_it_can_be_is_due_now
        a_body_is_kept_once_and_stays
    }
    grants {
        what_was_brought_back_is_parked_once_and_taken_once
        what_nobody_takes_out_in_time_makes_room_and_is_forgotten
        of_fifty_returns_one_is_parked
        ways_back_are_few_and_hold_nothing_after_the_end
        a_grant_is_ended_by_one_and_a_sign_in_before_that_keeps_it
        a_grant_that_an_account_lives_by_or_waits_for_is_counted
        what_an_attempt_held_is_due_once_it_lets_go
        one_call_renews_an_account_and_whoever_repairs_it_wins
    }
    checks {
        lanes_are_told_by_what_is_due_longest_and_by_name
        an_account_that_the_settings_were_in_the_way_of_is_looked_at_again
        what_is_due_is_taken_once_the_longest_due_first_and_stands_as_it_was_judged
        a_hold_is_freed_only_as_it_was_seen
        eight_loops_on_two_nodes_take_each_account_once
        a_security_event_counts_once_and_is_forgotten
        what_lies_too_far_ahead_is_brought_back
    }
    leases {
        a_taken_attempt_is_renewed_by_its_holder_only
        an_attempt_whose_lease_ran_out_is_taken_by_another_call
        a_lost_attempt_cannot_be_saved
        an_ended_attempt_forgets_and_cannot_be_taken
        a_lease_is_taken_only_from_the_right_holder_at_the_right_version
        a_try_by_a_node_that_lost_its_lease_is_not_written_down
        the_clocks_agree
    }
    calls {
        a_call_runs_once_and_its_reply_is_kept
        a_call_that_lost_its_turn_has_no_effect
        a_turn_that_is_given_back_may_come_with_another_body
        a_kept_reply_goes_with_its_session_and_with_time
        one_of_fifty_calls_at_once_has_its_turn
    }
    upgrades {
        a_second_start_applies_nothing
        a_database_of_the_first_version_is_brought_up_to_date
        a_newer_database_is_refused_and_left_alone
        every_migration_file_was_applied
    }
}

laws! {
    sqlite_only = crate::store::bench::Database::sqlite {
        batch {
            a_write_that_ends_the_whole_transaction_fails_alone
            a_write_that_fails_its_statement_fails_alone
            a_conflict_in_the_middle_is_rolled_back_alone
            nobody_is_answered_before_the_commit
            a_locked_file_delays_and_loses_nothing
            a_restart_lets_go_of_what_the_former_process_held
        }
    }
    postgres_only = crate::store::bench::Database::postgres {
        postgres {
            a_deadlock_is_run_again
            a_serialisation_failure_is_run_again_and_given_up_in_the_end
            a_commit_wakes_the_other_node
            a_lost_wake_connection_is_made_again
            a_connection_lost_during_a_write_costs_that_write_only
        }
    }
}
