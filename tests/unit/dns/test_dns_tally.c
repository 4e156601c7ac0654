/* What workers answered: counts are exact, samples stand for all answers of a burst, and too many of them cost nothing. */
#include "dataplane/dns/dns_tally.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "dataplane/dns/dns_answer.h"

static const uint8_t name[] = "\3Api\4shop";

static int
setup(void **state)
{
	*state = dns_tally_new();
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	dns_tally_free(*state);
	return 0;
}

static void
note(struct dns_tally *t, uint16_t port, enum dns_source source, uint8_t rcode)
{
	const struct dns_sample answer = { .port = port,
		.type = DNS_TYPE_A,
		.source = (uint8_t)source,
		.rcode = rcode,
		.name_len = sizeof(name),
		.received_ns = 5,
		.answered_ns = 9 };

	dns_tally_note(t, &answer, name);
}

static void
test_counts_are_by_port_and_source(void **state)
{
	struct dns_tally *t = *state;
	struct dns_counts sum = { .nxdomain = 100 };

	note(t, 3, DNS_AUTHORITY, DNS_RCODE_NOERROR);
	note(t, 3, DNS_AUTHORITY, DNS_RCODE_NXDOMAIN);
	note(t, 4, DNS_HIT, DNS_RCODE_NOERROR);
	dns_tally_note(t,
		&(struct dns_sample){
			.port = 3, .source = DNS_HIT, .name_len = sizeof(name), .is_completed = true },
		name);
	dns_tally_read(t, 3, &sum);
	assert_int_equal(sum.by_source[DNS_AUTHORITY], 2);
	assert_int_equal(sum.by_source[DNS_HIT], 1);
	assert_int_equal(sum.nxdomain, 101);
	assert_int_equal(sum.completed, 1);
}

static void
test_a_few_answers_are_samples_in_full(void **state)
{
	struct dns_tally *t = *state;
	struct dns_sample s;

	note(t, 3, DNS_UPSTREAM, DNS_RCODE_NXDOMAIN);
	assert_false(dns_tally_take(t, &s)); /* not before the burst's end */
	note(t, 3, DNS_HIT, DNS_RCODE_NOERROR);
	dns_tally_flush(t);
	assert_true(dns_tally_take(t, &s));
	assert_int_equal(s.port, 3);
	assert_int_equal(s.type, DNS_TYPE_A);
	assert_int_equal(s.source, DNS_UPSTREAM);
	assert_int_equal(s.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(s.weight, 1);
	assert_int_equal(s.received_ns, 5);
	assert_int_equal(s.answered_ns, 9);
	assert_int_equal(s.name_len, sizeof(name));
	assert_memory_equal(s.name, name, sizeof(name));
	assert_true(dns_tally_take(t, &s));
	assert_int_equal(s.weight, 1);
	assert_false(dns_tally_take(t, &s));
}

static void
test_samples_stand_for_the_others(void **state)
{
	struct dns_tally *t = *state;
	unsigned of_loud = 0, n = 0;
	struct dns_sample s;

	for (unsigned i = 0; i < 50; i++)
		note(t, 3, DNS_AUTHORITY, DNS_RCODE_NOERROR);
	note(t, 4, DNS_AUTHORITY, DNS_RCODE_NOERROR);
	dns_tally_flush(t);
	for (; dns_tally_take(t, &s); n++) {
		if (s.port == 3)
			of_loud += s.weight;
		else
			assert_int_equal(s.weight, 1);
	}
	assert_int_equal(of_loud, 50);
	assert_int_equal(n, DNS_RUN_SAMPLES + 1);
}

static void
test_samples_that_nobody_takes_are_lost(void **state)
{
	struct dns_tally *t = *state;
	struct dns_counts sum = { 0 };
	struct dns_sample s;
	unsigned n = 0;

	for (unsigned i = 0; i < 3 * DNS_SAMPLES; i++) {
		note(t, (uint16_t)(i % 100), DNS_HIT, DNS_RCODE_NOERROR);
		dns_tally_flush(t);
	}
	while (dns_tally_take(t, &s))
		n++;
	assert_int_equal(n, DNS_SAMPLES);
	note(t, 3, DNS_HIT, DNS_RCODE_NOERROR);
	dns_tally_flush(t);
	assert_true(dns_tally_take(t, &s));
	for (uint16_t port = 0; port < 100; port++)
		dns_tally_read(t, port, &sum);
	assert_int_equal(sum.by_source[DNS_HIT], 3 * DNS_SAMPLES + 1);
}

static void
test_floods_leave_room_for_others(void **state)
{
	struct dns_tally *t = *state;
	struct dns_sample s;

	for (unsigned turn = 0; turn < 3; turn++) {
		unsigned n_loud = 0, n_quiet = 0;

		for (unsigned i = 0; i < 3 * DNS_SAMPLES; i++) {
			note(t, (uint16_t)(3 + i % 2), DNS_HIT, DNS_RCODE_NOERROR);
			dns_tally_flush(t);
		}
		for (unsigned i = 0; i < DNS_PORT_SAMPLES; i++) {
			note(t, 5, DNS_HIT, DNS_RCODE_NOERROR);
			dns_tally_flush(t);
		}
		while (dns_tally_take(t, &s))
			++*(s.port == 5 ? &n_quiet : &n_loud);
		assert_int_equal(n_loud, DNS_SAMPLES / 2);
		assert_int_equal(n_quiet, DNS_PORT_SAMPLES);
	}
}

#define BURSTS 20000

static void *
answer_bursts(void *arg)
{
	for (unsigned i = 0; i < BURSTS; i++) {
		for (unsigned n = 0; n < i % 7; n++)
			note(arg, (uint16_t)(i % 5), DNS_HIT, DNS_RCODE_NOERROR);
		dns_tally_flush(arg);
	}
	return NULL;
}

/* For how many answers they stand. */
static uint64_t
take_all(struct dns_tally *t)
{
	struct dns_sample s;
	uint64_t told = 0;

	for (; dns_tally_take(t, &s); told += s.weight) {
		assert_in_range(s.port, 0, 4);
		assert_in_range(s.weight, 1, 6);
		assert_int_equal(s.name_len, sizeof(name));
		assert_memory_equal(s.name, name, sizeof(name));
	}
	return told;
}

static void
test_samples_are_whole_while_more_come(void **state)
{
	struct dns_tally *t = *state;
	uint64_t counted = 0, told = 0, all = 0;
	pthread_t worker;

	for (unsigned i = 0; i < BURSTS; i++)
		all += i % 7;
	assert_int_equal(pthread_create(&worker, NULL, answer_bursts, t), 0);
	while (counted < all) {
		struct dns_counts sum = { 0 };

		told += take_all(t);
		for (uint16_t port = 0; port < 5; port++)
			dns_tally_read(t, port, &sum);
		assert_in_range(sum.by_source[DNS_HIT], counted, all);
		counted = sum.by_source[DNS_HIT];
	}
	pthread_join(worker, NULL);
	told += take_all(t);
	assert_in_range(told, 1, all);
}

static void
test_sources_have_names(void **state)
{
	(void)state;
	for (enum dns_source s = 0; s < N_DNS_SOURCES; s++) {
		assert_non_null(dns_source_label(s));
		assert_non_null(dns_source_help(s));
	}
	assert_string_equal(dns_source_label(DNS_AUTHORITY), "authority");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts_are_by_port_and_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_few_answers_are_samples_in_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_samples_stand_for_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_samples_that_nobody_takes_are_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_floods_leave_room_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_samples_are_whole_while_more_come, setup, teardown),
		cmocka_unit_test(test_sources_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
