#include "perf/report.h"

#include <errno.h>

#include "perf/output.h"

void
series_add(struct series *s, double value)
{
	if (s->n < SERIES_MAX)
		s->values[s->n++] = value;
}

static void
print_table(const struct params *p, const struct result *r, FILE *out)
{
	char skew[32];

	fprintf(out, "%s %s, %s %s, %u bytes: %u services, %u endpoints, %u flows, skew %s, %u worker%s\n",
		r->mode, scenario_name(p->scenario), p->ipv6 ? "IPv6" : "IPv4", p->udp ? "UDP" : "TCP",
		p->size, p->services, p->endpoints, p->flows, params_format_skew(p, skew), p->workers,
		p->workers == 1 ? "" : "s");
	fprintf(out, "  %-28s %12.3f\n", "Mpps", r->mpps);
	fprintf(out, "  %-28s %12.1f\n", p->is_wire ? "forwarder cycles/packet" : "cycles/packet",
		r->cycles_per_packet);
	fprintf(out, "  %-28s %12.1f\n", p->is_wire ? "latency p50, ns" : "ns/packet in a burst, p50",
		r->p50_ns);
	fprintf(out, "  %-28s %12.1f\n", p->is_wire ? "latency p99, ns" : "ns/packet in a burst, p99",
		r->p99_ns);
	fprintf(out, "  %-28s %12.6f\n", "loss", r->loss);
	fprintf(out, "  %-28s %12llu\n", "packets forwarded", (unsigned long long)r->packets);
	fprintf(out, "  %-28s %12llu\n", "of these verified", (unsigned long long)r->verified);
	if (r->ratio_to_bare > 0)
		fprintf(out, "  %-28s %12.3f   (median of %u pairs; wanted: 0.92)\n", "rate / bare",
			r->ratio_to_bare, r->pair_ratios.n);
	if (r->cycles_ratio_to_bare > 0)
		fprintf(out, "  %-28s %12.3f   (bare's cycles per packet / ours)\n",
			"the same by processor time", r->cycles_ratio_to_bare);
	if (r->bare_to_testpmd > 0)
		fprintf(out, "  %-28s %12.3f   (median of %u pairs; wanted: 1.1)\n", "bare / testpmd",
			r->bare_to_testpmd, r->testpmd_ratios.n);
}

static void
print_json_series(const char *key, const struct series *s, FILE *out)
{
	fprintf(out, ", \"%s\": [", key);
	for (unsigned i = 0; i < s->n; i++)
		fprintf(out, "%s%.4g", i == 0 ? "" : ", ", s->values[i]);
	fputc(']', out);
}

void
report_print_json(const struct params *p, const struct result *r, FILE *out)
{
	fprintf(out,
		"{\"scenario\": \"%s\", \"mode\": \"%s\", \"mpps\": %.4f, \"cycles_per_packet\": %.2f, "
		"\"p50_ns\": %.1f, "
		"\"p99_ns\": %.1f, \"loss\": %.9f, \"packets\": %llu, \"verified\": %llu, \"tsc_hz\": %.0f, ",
		scenario_name(p->scenario), r->mode, r->mpps, r->cycles_per_packet, r->p50_ns, r->p99_ns,
		r->loss, (unsigned long long)r->packets, (unsigned long long)r->verified, r->tsc_hz);
	if (r->ratio_to_bare > 0)
		fprintf(out, "\"ratio_to_bare\": %.4f, ", r->ratio_to_bare);
	if (r->cycles_ratio_to_bare > 0)
		fprintf(out, "\"cycles_ratio_to_bare\": %.4f, ", r->cycles_ratio_to_bare);
	if (r->bare_to_testpmd > 0)
		fprintf(out, "\"bare_to_testpmd\": %.4f, ", r->bare_to_testpmd);
	fprintf(out, "\"parameters\": ");
	params_print_json(p, out);
	if (r->intervals.n != 0)
		print_json_series("intervals", &r->intervals, out);
	if (r->pair_ratios.n != 0)
		print_json_series("pair_ratios", &r->pair_ratios, out);
	if (r->testpmd_ratios.n != 0)
		print_json_series("testpmd_ratios", &r->testpmd_ratios, out);
	fprintf(out, "}\n");
}

static int
write_file(const char *path, const struct params *p, const struct result *r,
	void (*print)(const struct params *, const struct result *, FILE *))
{
	FILE *out = output_open(path);

	if (out == NULL)
		return -EIO;
	print(p, r, out);
	return output_close(out, path);
}

int
report(const struct params *p, const struct result *r)
{
	int err = 0;

	print_table(p, r, output_has_table(p->json) ? stdout : stderr);
	if (p->json != NULL)
		err = write_file(p->json, p, r, report_print_json);
	if (err == 0 && p->html != NULL)
		err = write_file(p->html, p, r, report_print_html);
	return err;
}
