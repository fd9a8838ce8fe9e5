package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"
)

// goSteps are the steps of the schema that SQL cannot say so that all databases can do them
// again after a crash: there is no common statement that adds a column unless it is there.
func goSteps(dialect goose.Dialect) []*goose.Migration {
	inherit, constrain, changed := inheritingUsers, constrainUsers, changedBans
	if dialect == goose.DialectSQLite3 {
		inherit, constrain, changed = inheritingUsersSQLite, touchedSQLite, changedBansSQLite
	}
	return []*goose.Migration{
		// The charset that the account's last session turned out to speak: a hint for the next.
		addColumn(8, "users", "charset_seen", "VARCHAR(64) /*! COLLATE utf8mb4_bin */ DEFAULT NULL"),
		step(10, inherit),
		step(11, constrain),
		step(13, quotaTables),
		step(19, changed),
	}
}

// step is one that nobody can take back.
func step(version int64, up func(context.Context, *sql.Tx) error) *goose.Migration {
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil)
}

// execEach runs statements one after the other.
func execEach(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func addColumn(version int64, table, column, definition string) *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		if hasColumn(ctx, tx, table, column) {
			return nil
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, definition))
		return err
	}
	down := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", table, column))
		return err
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, &goose.GoFunc{RunTx: down})
}

// hasColumn is also false if nobody can tell; to add the column fails then, too.
func hasColumn(ctx context.Context, tx *sql.Tx, table, column string) bool {
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE 1 = 0", column, table))
	if err != nil {
		return false
	}
	err = rows.Err()
	return rows.Close() == nil && err == nil
}
