package db

import "context"

// Query is a statement and its values.
type Query struct {
	Text string
	Args []any
}

// LoginQueries are the queries of FindAll.
func LoginQueries(ctx context.Context, d *DB, names ...string) ([]Query, error) {
	text, args := accountQuery(names)
	queries := []Query{{text, args}}
	rows, err := d.accountRows(ctx, names)
	text, args = partsQuery(names, rows.groups)
	return append(queries, Query{text, args}), err
}
