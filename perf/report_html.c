#include "perf/page.h"

void
report_print_html(const struct params *p, const struct result *r, FILE *out)
{
	char skew[32], title[64];

	snprintf(title, sizeof(title), "%s %s", r->mode, scenario_name(p->scenario));
	page_begin(title, out);
	fprintf(out,
		"<p>%s %s, %u bytes, %u services, %u endpoints, %u flows, skew %s, workers: "
		"%u.</p>\n<table>\n",
		p->ipv6 ? "IPv6" : "IPv4", p->udp ? "UDP" : "TCP", p->size, p->services, p->endpoints,
		p->flows, params_format_skew(p, skew), p->workers);
	page_row("Mpps", "%.3f", r->mpps, out);
	page_row("cycles/packet", "%.1f", r->cycles_per_packet, out);
	page_row("p50, ns", "%.1f", r->p50_ns, out);
	page_row("p99, ns", "%.1f", r->p99_ns, out);
	page_row("loss", "%.6f", r->loss, out);
	if (r->ratio_to_bare > 0)
		page_row("rate / bare", "%.3f", r->ratio_to_bare, out);
	if (r->bare_to_testpmd > 0)
		page_row("bare / testpmd", "%.3f", r->bare_to_testpmd, out);
	fprintf(out, "</table>\n");
	page_series(&r->intervals, out);
	page_histogram(r->latency_ns, "Distribution of latency", out);
	page_series(&r->pair_ratios, out);
	page_series(&r->testpmd_ratios, out);
	page_end(out);
}
