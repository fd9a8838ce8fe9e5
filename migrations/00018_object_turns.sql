-- Who changes an object that counts for a quota, so that nodes do so one after the other.
-- object is the bucket, "/" and the key. A node has its turn until lease; without a node, lease
-- is when the last turn ended: what somebody has read before that may be no longer so.

-- +goose Up
CREATE TABLE IF NOT EXISTS object_turns (
    object VARCHAR(1280) /*! CHARACTER SET binary */ NOT NULL,
    node   VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    lease  DATETIME(6) NOT NULL,
    PRIMARY KEY (object)
    /*! , INDEX (lease) */
);

-- +goose Down
DROP TABLE IF EXISTS object_turns;
