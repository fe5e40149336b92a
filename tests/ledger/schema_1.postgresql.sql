-- The ledger's tables as schema version 1 had them.
CREATE TABLE leases (
    run_id VARCHAR NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    machine VARCHAR NOT NULL,
    pid BIGINT NOT NULL,
    born FLOAT NOT NULL,
    PRIMARY KEY (run_id)
);
CREATE TABLE meta (
    key VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY (key)
);
CREATE TABLE roots (
    id BIGSERIAL NOT NULL,
    studio VARCHAR NOT NULL,
    mark VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (studio, mark)
);
CREATE TABLE clips (
    id BIGSERIAL NOT NULL,
    root_id BIGINT NOT NULL,
    studio VARCHAR NOT NULL,
    relpath VARCHAR NOT NULL,
    disk_path VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    found_at BIGINT NOT NULL,
    since BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    run_id VARCHAR,
    token BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    not_before BIGINT,
    reason VARCHAR,
    hint VARCHAR,
    code VARCHAR,
    account_id VARCHAR,
    project_id VARCHAR,
    folder_id VARCHAR,
    folder VARCHAR,
    stack VARCHAR,
    version_number INTEGER,
    file_id VARCHAR,
    view_url VARCHAR,
    stack_id VARCHAR,
    PRIMARY KEY (id),
    UNIQUE (root_id, relpath, revision),
    FOREIGN KEY(root_id) REFERENCES roots (id),
    FOREIGN KEY(run_id) REFERENCES leases (run_id)
);
CREATE INDEX clips_by_name ON clips (name);
CREATE INDEX clips_by_stack ON clips (folder_id, stack);
CREATE INDEX clips_by_state ON clips (state, not_before);
CREATE TABLE observations (
    root_id BIGINT NOT NULL,
    relpath VARCHAR NOT NULL,
    disk_path VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    state VARCHAR NOT NULL,
    since BIGINT NOT NULL,
    waiting_since BIGINT NOT NULL,
    gone_at BIGINT,
    note VARCHAR,
    PRIMARY KEY (root_id, relpath),
    FOREIGN KEY(root_id) REFERENCES roots (id)
);
CREATE INDEX observations_by_state ON observations (root_id, state);
CREATE TABLE attempts (
    clip_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    way VARCHAR NOT NULL,
    exposure VARCHAR,
    intended_at BIGINT NOT NULL,
    file_id VARCHAR,
    outcome VARCHAR NOT NULL,
    closed_at BIGINT,
    detail TEXT,
    PRIMARY KEY (clip_id, number),
    FOREIGN KEY(clip_id) REFERENCES clips (id)
);
CREATE TABLE history (
    id BIGSERIAL NOT NULL,
    clip_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event VARCHAR NOT NULL,
    was VARCHAR,
    now VARCHAR NOT NULL,
    run_id VARCHAR,
    token BIGINT NOT NULL,
    detail TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(clip_id) REFERENCES clips (id)
);
CREATE INDEX ix_history_clip_id ON history (clip_id);
CREATE TABLE outbox (
    id BIGSERIAL NOT NULL,
    key VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    clip_id BIGINT,
    payload TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    offered INTEGER,
    shown INTEGER,
    message_id VARCHAR,
    state VARCHAR NOT NULL,
    run_id VARCHAR,
    token BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    not_before BIGINT,
    made_at BIGINT NOT NULL,
    since BIGINT NOT NULL,
    reason VARCHAR,
    hint VARCHAR,
    code VARCHAR,
    PRIMARY KEY (id),
    UNIQUE (key),
    FOREIGN KEY(clip_id) REFERENCES clips (id),
    FOREIGN KEY(run_id) REFERENCES leases (run_id)
);
CREATE INDEX outbox_by_state ON outbox (state, not_before);
CREATE TABLE stacks (
    folder_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    stack_id VARCHAR,
    clip_id BIGINT,
    PRIMARY KEY (folder_id, name),
    FOREIGN KEY(clip_id) REFERENCES clips (id)
);
INSERT INTO meta (key, value) VALUES ('postflow_schema', '1');
