-- Renames of directories that go on. The row is there from before the first object is
-- copied until the last one is deleted, so that another node finishes what a dead one left.

-- +goose Up
CREATE TABLE IF NOT EXISTS renames (
    id          VARCHAR(64) /*! CHARACTER SET binary */ NOT NULL,
    owner       VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    from_bucket VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    from_prefix VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    to_bucket   VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    to_prefix   VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    -- 1: the copies are being removed again.
    back        INTEGER NOT NULL DEFAULT 0,
    -- nodes.id of the node that does it; '': whoever comes.
    node_id     VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    started     DATETIME(6) NOT NULL,
    PRIMARY KEY (id)
);

-- +goose Down
DROP TABLE IF EXISTS renames;
