-- Multipart uploads in progress, so that any node can resume them or throw them away.
-- Keys are compared byte by byte. The table is small: one row for each upload going on.

-- +goose Up
CREATE TABLE IF NOT EXISTS uploads (
    bucket     VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    object_key VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    upload_id  VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    owner      VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    node       VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    part_size  BIGINT NOT NULL,
    started    DATETIME(6) NOT NULL,
    -- The session that adds parts, and until when it counts as alive; '' when it was
    -- interrupted.
    holder     VARCHAR(64) /*! CHARACTER SET binary */ NOT NULL,
    lease      DATETIME(6) NOT NULL,
    PRIMARY KEY (bucket, object_key, upload_id)
    /*! , INDEX (owner), INDEX (lease) */
);

-- +goose Down
DROP TABLE IF EXISTS uploads;
