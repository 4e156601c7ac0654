#include "control/cli/listing.h"

#include <string.h>

const char *
endpoint_text(const json_t *object)
{
	static char text[80];
	const char *address = field_str(object, "address");
	bool is_v6 = strchr(address, ':') != NULL;

	snprintf(text, sizeof(text), "%s%s%s:%lld", is_v6 ? "[" : "", address, is_v6 ? "]" : "",
		field_int(object, "port"));
	return text;
}

const char *
endpoint_state_text(const json_t *endpoint)
{
	if (field_bool(endpoint, "ready"))
		return "ready";
	if (field_bool(endpoint, "terminating"))
		return field_bool(endpoint, "serving") ? "terminating, serving" : "terminating";
	return "not ready";
}

static void
put_cell(struct table *t, const struct listing_column *c, const json_t *row)
{
	const json_t *value;

	if (c->text != NULL) {
		table_cell(t, "%s", c->text(row));
		return;
	}
	value = json_object_get(row, c->field);
	if (json_is_integer(value))
		table_cell(t, "%lld", json_integer_value(value));
	else
		table_cell(t, "%s", json_is_array(value) ? list_text(value) : field_str(row, c->field));
}

void
listing_print(const struct cli *cli, const struct listing *l, const json_t *rows)
{
	struct column columns[LISTING_COLUMNS_MAX];
	const json_t *row;
	struct table *t;
	size_t i;

	for (unsigned c = 0; c < l->n_columns; c++)
		columns[c] = l->columns[c].column;
	t = table_new(columns, l->n_columns);
	json_array_foreach (rows, i, row)
		for (unsigned c = 0; c < l->n_columns; c++)
			put_cell(t, &l->columns[c], row);
	if (table_rows(t) != 0)
		table_print(t, cli->out, cli->width);
	else if (l->empty != NULL)
		fprintf(cli->out, "%s\n", l->empty);
	table_free(t);
}

int
listing_run(const struct cli *cli, const struct listing *l, const char *path, const char *field)
{
	json_t *doc;
	int rc = client_request(cli, path, NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	if (cli->json)
		cli_print_json(cli, doc);
	else
		listing_print(cli, l, json_object_get(doc, field));
	json_decref(doc);
	return CLI_FINE;
}
