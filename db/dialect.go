package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	sqlitedriver "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// dialect is all in which the databases differ once they are open.
type dialect struct {
	goose goose.Dialect
	// now is the time by the database's clock, that much later, as micros writes it.
	now func(later time.Duration) string
	// upsert ends an INSERT: where a row of these keys exists, columns are replaced.
	upsert func(keys, columns []string) string
	// adding ends an INSERT: where a row of these keys exists in the table, the column grows.
	adding func(keys []string, table, column string) string
	// exists: the error says that a row of that key exists.
	exists func(error) bool
	// noParent: the error says that a row that must exist does not.
	noParent func(error) bool
	// inUse: the error says that other rows need the one to be deleted.
	inUse func(error) bool
	// noTable: the error says that there is no such table.
	noTable func(error) bool
	// again: the error says that the statement had no effect and may be tried again.
	again func(error) bool
	// refused: the error says that the server will not let us in, however long we wait.
	refused func(error) bool
}

func mysqlDialect() dialect {
	return dialect{
		goose: goose.DialectMySQL,
		now: func(later time.Duration) string {
			return fmt.Sprintf("(UTC_TIMESTAMP(6) + INTERVAL %d MICROSECOND)", later.Microseconds())
		},
		upsert: func(_, columns []string) string {
			return " ON DUPLICATE KEY UPDATE " + eachColumn(columns, "# = VALUES(#)")
		},
		adding: func(_ []string, _, column string) string {
			return " ON DUPLICATE KEY UPDATE " + eachColumn([]string{column}, "# = # + VALUES(#)")
		},
		exists:   mysqlError(1062), // ER_DUP_ENTRY
		noParent: mysqlError(1452), // ER_NO_REFERENCED_ROW_2
		inUse:    mysqlError(1451), // ER_ROW_IS_REFERENCED_2
		noTable:  mysqlError(1146), // ER_NO_SUCH_TABLE
		again:    mysqlError(1213), // ER_LOCK_DEADLOCK
		// ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR, ER_BAD_DB_ERROR,
		// ER_ACCESS_DENIED_NO_PASSWORD_ERROR
		refused: mysqlError(1044, 1045, 1049, 1698),
	}
}

func sqliteDialect() dialect {
	return dialect{
		goose: goose.DialectSQLite3,
		now: func(later time.Duration) string {
			return fmt.Sprintf("(strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%+.3f seconds') || '000')", later.Seconds())
		},
		upsert: func(keys, columns []string) string {
			return " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + eachColumn(columns, "# = excluded.#")
		},
		adding: func(keys []string, table, column string) string {
			return " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " +
				eachColumn([]string{column}, "# = "+table+".# + excluded.#")
		},
		exists:   sqliteError(sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY),
		noParent: sqliteError(sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY),
		inUse:    sqliteError(sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY),
		noTable: func(err error) bool {
			return sqliteError(sqlitelib.SQLITE_ERROR)(err) && strings.Contains(err.Error(), "no such table")
		},
		again:   func(error) bool { return false }, // busy_timeout has waited long enough
		refused: func(error) bool { return false }, // Open has seen to that
	}
}

// eachColumn writes pattern for every column, with # for its name.
func eachColumn(columns []string, pattern string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = strings.ReplaceAll(pattern, "#", c)
	}
	return strings.Join(parts, ", ")
}

func mysqlError(numbers ...uint16) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*mysql.MySQLError](err)
		return ok && slices.Contains(numbers, e.Number)
	}
}

func sqliteError(code int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*sqlitedriver.Error](err)
		return ok && e.Code() == code
	}
}
