// Package migrations holds the database schema as numbered steps. Steps 8, 10, 11, 13 and 19 are in
// package db, as they cannot be said in common SQL.
//
// The same SQL serves MariaDB 10.11, MySQL 8.0.17 and SQLite. What only MySQL and MariaDB
// understand stands in comments that they execute and SQLite skips: /*! both */,
// /*M! MariaDB */ and /*!80017 MySQL */. Every step can run again after a crash half-way,
// as these databases cannot roll back a CREATE TABLE.
package migrations

import "embed"

// FS holds the steps, NNNNN_name.sql, in the format of goose.
//
//go:embed *.sql
var FS embed.FS
