-- Parts of an account's tree: other permissions in some, other places of the store shown as
-- some. A row is of an account, or of a group and so of all its accounts. A row of both would
-- be of both; one of neither is of no use. (There can be no CHECK on a column of a foreign key
-- that cascades.)

-- +goose Up
CREATE TABLE IF NOT EXISTS user_paths (
    id          INTEGER /*! NOT NULL AUTO_INCREMENT */ PRIMARY KEY,
    username    VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
    group_name  VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
    -- /in, /in/*, /**/.git; holds for everything below, too.
    pattern     VARCHAR(512) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- As in users, or none; NULL: unchanged.
    permissions VARCHAR(190) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    -- 1: not listed, and not found.
    hidden      INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1)),
    CONSTRAINT user_paths_pattern CHECK (pattern LIKE '/%' AND pattern NOT LIKE '%//%'),
    CONSTRAINT user_paths_permissions CHECK (permissions <> ''
        /*! AND permissions REGEXP '^ *(none|rw|ro|upload-only|list|download|upload|overwrite|append|delete|rename|mkdir|rmdir|times) *(, *(none|rw|ro|upload-only|list|download|upload|overwrite|append|delete|rename|mkdir|rmdir|times) *)*$' */),
    UNIQUE (username, pattern),
    UNIQUE (group_name, pattern),
    CONSTRAINT user_paths_user FOREIGN KEY (username) REFERENCES users (username) ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT user_paths_group FOREIGN KEY (group_name) REFERENCES `groups` (name) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE IF NOT EXISTS mounts (
    id          INTEGER /*! NOT NULL AUTO_INCREMENT */ PRIMARY KEY,
    username    VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
    group_name  VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
    -- The directory that shows it: /shared.
    path        VARCHAR(512) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- NULL: the account's.
    bucket      VARCHAR(255) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    -- %u stands for the account's name in a row of a group.
    prefix      VARCHAR(1024) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT '',
    read_only   INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1)),
    -- shared: counts to the account's quota. own: to the two below.
    quota       VARCHAR(8) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT 'shared' CHECK (quota IN ('shared', 'own')),
    quota_bytes BIGINT DEFAULT NULL CHECK (quota_bytes >= 0),
    quota_files BIGINT DEFAULT NULL CHECK (quota_files >= 0),
    CONSTRAINT mounts_path CHECK (path LIKE '/_%' AND path NOT LIKE '%//%'),
    CONSTRAINT mounts_bucket CHECK (bucket <> ''),
    CONSTRAINT mounts_prefix CHECK (prefix NOT LIKE '/%' AND prefix NOT LIKE '%//%'
        /*! AND prefix NOT REGEXP '(^|/)[.][.]?(/|$)' */),
    CONSTRAINT mounts_quota CHECK (quota = 'own' OR COALESCE(quota_bytes, 0) = 0 AND COALESCE(quota_files, 0) = 0),
    UNIQUE (username, path),
    UNIQUE (group_name, path),
    CONSTRAINT mounts_user FOREIGN KEY (username) REFERENCES users (username) ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT mounts_group FOREIGN KEY (group_name) REFERENCES `groups` (name) ON DELETE CASCADE ON UPDATE CASCADE
);

-- What each account has stored of what it may. Quotas come from the groups where the account
-- has none of its own; 0 is no limit.
DROP VIEW IF EXISTS v_usage;
CREATE VIEW v_usage AS
WITH RECURSIVE inherited (name, quota_bytes, quota_files, depth) AS (
    SELECT name, quota_bytes, quota_files, 1 FROM `groups` WHERE parent IS NULL
    UNION ALL
    SELECT g.name, COALESCE(g.quota_bytes, i.quota_bytes), COALESCE(g.quota_files, i.quota_files), i.depth + 1
    FROM inherited i JOIN `groups` g ON g.parent = i.name
    WHERE i.depth < 8
),
quotas (username, quota_bytes, quota_files) AS (
    SELECT u.username, COALESCE(u.quota_bytes, i.quota_bytes, 0), COALESCE(u.quota_files, i.quota_files, 0)
    FROM users u LEFT JOIN inherited i ON i.name = u.group_name
)
SELECT q.username, c.bytes, q.quota_bytes, ROUND(100.0 * c.bytes / NULLIF(q.quota_bytes, 0), 1) AS bytes_percent,
    c.files, q.quota_files, ROUND(100.0 * c.files / NULLIF(q.quota_files, 0), 1) AS files_percent, c.counted_at
FROM quotas q LEFT JOIN usage_counts c ON c.username = q.username;

-- +goose Down
DROP VIEW IF EXISTS v_usage;
DROP TABLE IF EXISTS mounts;
DROP TABLE IF EXISTS user_paths;
