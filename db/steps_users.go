package db

import (
	"context"
	"database/sql"
	"fmt"
)

// inheritingUsers lets accounts be in groups: columns that may be NULL to inherit, and what
// groups brought with them. It is one statement, so that it happens whole or not at all.
func inheritingUsers(ctx context.Context, tx *sql.Tx) error {
	if hasColumn(ctx, tx, "users", "group_name") {
		return nil
	}
	return execEach(ctx, tx, `ALTER TABLE users
		MODIFY bucket VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL,
		MODIFY prefix VARCHAR(1024) COLLATE utf8mb4_bin DEFAULT NULL,
		MODIFY permissions VARCHAR(190) COLLATE utf8mb4_bin DEFAULT NULL,
		ALTER COLUMN quota_bytes SET DEFAULT NULL,
		ALTER COLUMN quota_files SET DEFAULT NULL,
		ALTER COLUMN max_sessions SET DEFAULT NULL,
		ALTER COLUMN upload_rate SET DEFAULT NULL,
		ALTER COLUMN download_rate SET DEFAULT NULL,
		MODIFY updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
		ADD COLUMN group_name VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
		ADD COLUMN max_file_size BIGINT DEFAULT NULL,
		ADD COLUMN allowed_names VARCHAR(2048) COLLATE utf8mb4_bin DEFAULT NULL,
		ADD COLUMN denied_names VARCHAR(2048) COLLATE utf8mb4_bin DEFAULT NULL,
		ADD COLUMN allowed_hours VARCHAR(512) COLLATE utf8mb4_bin DEFAULT NULL,
		ADD COLUMN tls_required INTEGER DEFAULT NULL,
		ADD COLUMN client_cn VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL,
		ADD COLUMN password_expires_at DATETIME DEFAULT NULL,
		ADD COLUMN note VARCHAR(1024) COLLATE utf8mb4_bin DEFAULT NULL,
		ADD CONSTRAINT users_max_file_size CHECK (max_file_size >= 0),
		ADD CONSTRAINT users_tls_required CHECK (tls_required IN (0, 1)),
		ADD CONSTRAINT users_group FOREIGN KEY (group_name) REFERENCES `+"`groups`"+` (name) ON UPDATE CASCADE`)
}

// usersSQLite is the table users as MySQL has it after steps 10 and 11.
const usersSQLite = `CREATE TABLE users_new (
	username VARCHAR(190) NOT NULL,
	password VARCHAR(255) NOT NULL,
	ro_password VARCHAR(255) DEFAULT NULL,
	group_name VARCHAR(190) DEFAULT NULL,
	bucket VARCHAR(255) DEFAULT NULL,
	prefix VARCHAR(1024) DEFAULT NULL,
	permissions VARCHAR(190) DEFAULT NULL,
	status VARCHAR(16) NOT NULL DEFAULT 'active',
	quota_bytes BIGINT DEFAULT NULL CHECK (quota_bytes >= 0),
	quota_files BIGINT DEFAULT NULL CHECK (quota_files >= 0),
	max_file_size BIGINT DEFAULT NULL CHECK (max_file_size >= 0),
	max_sessions BIGINT DEFAULT NULL CHECK (max_sessions >= 0),
	upload_rate BIGINT DEFAULT NULL CHECK (upload_rate >= 0),
	download_rate BIGINT DEFAULT NULL CHECK (download_rate >= 0),
	allowed_names VARCHAR(2048) DEFAULT NULL,
	denied_names VARCHAR(2048) DEFAULT NULL,
	allowed_cidrs VARCHAR(2048) DEFAULT NULL,
	allowed_hours VARCHAR(512) DEFAULT NULL,
	tls_required INTEGER DEFAULT NULL CHECK (tls_required IN (0, 1)),
	client_cn VARCHAR(255) DEFAULT NULL,
	charset VARCHAR(64) DEFAULT NULL,
	charset_seen VARCHAR(64) DEFAULT NULL,
	expires_at DATETIME DEFAULT NULL,
	password_expires_at DATETIME DEFAULT NULL,
	note VARCHAR(1024) DEFAULT NULL,
	created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
	updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
	last_login_at DATETIME DEFAULT NULL,
	CHECK (username <> ''),
	CHECK (bucket <> ''),
	CHECK (status IN ('active', 'suspended')),
	PRIMARY KEY (username),
	FOREIGN KEY (group_name) REFERENCES groups (name) ON UPDATE CASCADE
)`

// inheritingUsersSQLite makes the table users anew, as SQLite cannot change columns. To drop
// the old one empties the table usage_counts, which refers to it.
func inheritingUsersSQLite(ctx context.Context, tx *sql.Tx) error {
	if hasColumn(ctx, tx, "users", "group_name") {
		return nil
	}
	const columns = `username, password, ro_password, bucket, prefix, permissions, status, quota_bytes, quota_files,
		max_sessions, upload_rate, download_rate, allowed_cidrs, charset, charset_seen, expires_at, created_at,
		updated_at, last_login_at`
	return execEach(ctx, tx,
		"CREATE TABLE kept_counts AS SELECT * FROM usage_counts",
		usersSQLite,
		"INSERT INTO users_new ("+columns+") SELECT "+columns+" FROM users",
		"DROP TABLE users",
		"ALTER TABLE users_new RENAME TO users",
		"CREATE INDEX users_group ON users (group_name)",
		"DELETE FROM usage_counts",
		"INSERT INTO usage_counts (username, bytes, files, counted_at) SELECT username, bytes, files, counted_at FROM kept_counts",
		"DROP TABLE kept_counts")
}

// touchedSQLite keeps updated_at true, as ON UPDATE CURRENT_TIMESTAMP does in MySQL.
func touchedSQLite(ctx context.Context, tx *sql.Tx) error {
	const trigger = `CREATE TRIGGER IF NOT EXISTS %s_updated AFTER UPDATE ON %[1]s FOR EACH ROW
		WHEN NEW.updated_at = OLD.updated_at%[3]s
		BEGIN UPDATE %[1]s SET updated_at = CURRENT_TIMESTAMP WHERE %[2]s = NEW.%[2]s; END`
	return execEach(ctx, tx,
		fmt.Sprintf(trigger, "users", "username",
			" AND NEW.last_login_at IS OLD.last_login_at AND NEW.charset_seen IS OLD.charset_seen"),
		fmt.Sprintf(trigger, "groups", "name", ""))
}

// userConstraint is a CHECK of step 11. Rows of before that break it never let anybody in:
// they are suspended, their value is kept in the note, and what takes its place allows
// nothing.
type userConstraint struct{ column, condition, instead string }

func userConstraints() []userConstraint {
	const words = "(none|rw|ro|upload-only|list|download|upload|overwrite|append|delete|rename|mkdir|rmdir|times)"
	return []userConstraint{
		{"permissions", "permissions REGEXP '^ *" + words + " *(, *" + words + " *)*$'", "none"},
		{"prefix", "prefix NOT REGEXP '^/|//|(^|/)[.][.]?(/|$)'", "suspended/"},
		{"allowed_cidrs", "allowed_cidrs REGEXP '^[0-9A-Fa-f:./, ]*$'", "0.0.0.0"},
	}
}

// constrainUsers lets MySQL refuse what could not be used.
func constrainUsers(ctx context.Context, tx *sql.Tx) error {
	for _, c := range userConstraints() {
		name := "users_" + c.column
		there, err := hasConstraint(ctx, tx, "users", name)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		err = execEach(ctx, tx,
			fmt.Sprintf(`UPDATE users SET status = 'suspended', note = LEFT(CONCAT_WS('; ', note, CONCAT('%[1]s was: ', %[1]s)), 1024),
				%[1]s = '%[3]s', updated_at = updated_at WHERE NOT (%[2]s)`, c.column, c.condition, c.instead),
			fmt.Sprintf("ALTER TABLE users ADD CONSTRAINT %s CHECK (%s)", name, c.condition))
		if err != nil {
			return fmt.Errorf("%s: %w", c.column, err)
		}
	}
	return nil
}

// hasConstraint asks MySQL and MariaDB.
func hasConstraint(ctx context.Context, tx *sql.Tx, table, name string) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.table_constraints
		WHERE constraint_schema = DATABASE() AND table_name = ? AND constraint_name = ?`, table, name).Scan(&n)
	return n > 0, err
}
