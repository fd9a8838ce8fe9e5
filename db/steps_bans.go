package db

import (
	"context"
	"database/sql"
	"fmt"
)

// changedBans lets nodes read what has changed in bans. A TIMESTAMP is the same moment for
// all clients, whatever their time zone; what ON UPDATE writes into a DATETIME is not.
func changedBans(ctx context.Context, tx *sql.Tx) error {
	if hasColumn(ctx, tx, "bans", "changed_at") {
		return nil
	}
	return execEach(ctx, tx, `ALTER TABLE bans
		ADD COLUMN changed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
		ADD INDEX bans_changed_at (changed_at)`)
}

// changedBansSQLite does the same by triggers: SQLite adds no column whose default is the time.
func changedBansSQLite(ctx context.Context, tx *sql.Tx) error {
	if !hasColumn(ctx, tx, "bans", "changed_at") {
		if err := execEach(ctx, tx, "ALTER TABLE bans ADD COLUMN changed_at DATETIME(6) DEFAULT NULL"); err != nil {
			return err
		}
	}
	now := sqliteDialect().now(0)
	const trigger = `CREATE TRIGGER IF NOT EXISTS bans_%s AFTER %s ON bans FOR EACH ROW
		BEGIN UPDATE bans SET changed_at = %s WHERE kind = NEW.kind AND subject = NEW.subject; END`
	return execEach(ctx, tx,
		"CREATE INDEX IF NOT EXISTS bans_changed_at ON bans (changed_at)",
		fmt.Sprintf(trigger, "inserted", "INSERT", now),
		fmt.Sprintf(trigger, "updated", "UPDATE OF kind, subject, reason, since, until, strikes, node", now))
}
