#include "dataplane/verdict.h"

static const char *const verdict_labels[N_VERDICTS] = {
	[VERDICT_CONTINUE] = "continue",
	[VERDICT_FORWARD] = "forward",
	[VERDICT_REPLY] = "reply",
	[VERDICT_PUNT] = "punt",
	[VERDICT_DROP] = "drop",
	[VERDICT_ASKED] = "asked",
	[VERDICT_CROSSED] = "crossed",
	[VERDICT_HELD] = "held",
};

static const struct {
	const char *label, *help;
} reasons[N_DROP_REASONS] = {
	[DROP_NONE] = { "none", "not dropped" },
#define DROP(symbol, label, help) [DROP_##symbol] = { label, help },
#include "dataplane/drop_reasons.def"
#undef DROP
};

const char *
verdict_label(enum verdict verdict)
{
	return verdict_labels[verdict];
}

const char *
drop_reason_label(enum drop_reason reason)
{
	return reasons[reason].label;
}

const char *
drop_reason_help(enum drop_reason reason)
{
	return reasons[reason].help;
}
