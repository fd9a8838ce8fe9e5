-- Modification times that clients set, which S3 cannot keep. The key of an object is
-- directory followed by name; both are compared byte by byte. The primary key serves one
-- object, all entries of a directory, and all below one.

-- +goose Up
CREATE TABLE IF NOT EXISTS object_times (
    bucket    VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    directory VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    name      VARCHAR(1024) /*! CHARACTER SET binary */ NOT NULL,
    etag      VARCHAR(255) /*! CHARACTER SET binary */ NOT NULL,
    stored    DATETIME(6) NOT NULL,
    mod_time  DATETIME(6) NOT NULL,
    PRIMARY KEY (bucket, directory, name)
);

-- +goose Down
DROP TABLE IF EXISTS object_times;
