package db

import (
	"context"
	"database/sql"
	"fmt"
)

// countColumns are what a count has beside bytes and files: all that was ever added, and how
// often the count has changed, so that a new count knows what came in between; and whether
// it has been made at all.
func countColumns() []string {
	return []string{
		"added_bytes BIGINT NOT NULL DEFAULT 0",
		"added_files BIGINT NOT NULL DEFAULT 0",
		"changes BIGINT NOT NULL DEFAULT 0",
		"known INT NOT NULL DEFAULT 1",
	}
}

// quotaTables makes counts exact. place_counts has those of places that are mounted with a
// quota of their own: bucket, "/" and prefix. reservations has what a node may have under way
// of a count: charged but not yet stored, or deleted but not yet taken off. One whose lease
// has ended is of a node that has died, or (node ”) of none: the count is made again. One of
// username and place is ”.
func quotaTables(ctx context.Context, tx *sql.Tx) error {
	for _, column := range countColumns() {
		var name string
		if _, err := fmt.Sscan(column, &name); err != nil {
			return err
		}
		if hasColumn(ctx, tx, "usage_counts", name) {
			continue
		}
		if err := execEach(ctx, tx, "ALTER TABLE usage_counts ADD COLUMN "+column); err != nil {
			return err
		}
	}
	return execEach(ctx, tx,
		`CREATE TABLE IF NOT EXISTS place_counts (
			place       VARCHAR(1280) /*! CHARACTER SET binary */ NOT NULL,
			bytes       BIGINT NOT NULL DEFAULT 0,
			files       BIGINT NOT NULL DEFAULT 0,
			added_bytes BIGINT NOT NULL DEFAULT 0,
			added_files BIGINT NOT NULL DEFAULT 0,
			changes     BIGINT NOT NULL DEFAULT 0,
			known       INT NOT NULL DEFAULT 1,
			counted_at  DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
			PRIMARY KEY (place)
		)`,
		`CREATE TABLE IF NOT EXISTS reservations (
			username VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
			place    VARCHAR(1280) /*! CHARACTER SET binary */ NOT NULL,
			node     VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
			bytes    BIGINT NOT NULL,
			files    BIGINT NOT NULL,
			lease    DATETIME(6) NOT NULL,
			PRIMARY KEY (username, place, node)
		)`)
}
