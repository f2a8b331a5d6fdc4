BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE approvals (
	server TEXT NOT NULL,
	name TEXT NOT NULL,
	route VARCHAR(32) NOT NULL,
	exchanges TEXT NOT NULL,
	despite TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at VARCHAR(32) NOT NULL,
	expires VARCHAR(32) NOT NULL,
	CONSTRAINT pk_approvals PRIMARY KEY (server, name),
	CONSTRAINT ck_approvals_route CHECK (route IN ('no-domain', 'no-mail', 'here', 'unknown', 'backup-here', 'forwarder', 'gateway', 'parked', 'dangling', 'elsewhere', 'implicit-here', 'implicit-elsewhere'))
);
INSERT INTO "approvals" VALUES('web01','moved.example','elsewhere','["mx.other.example"]','["arriving", "flapping"]','root','2026-11-23T04:00:00.123456+00:00','2026-12-23T04:00:00.123456+00:00');
CREATE TABLE changes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	run_id TEXT,
	server TEXT NOT NULL,
	name TEXT NOT NULL,
	kind VARCHAR(32) NOT NULL,
	panel_id TEXT NOT NULL,
	switch_from VARCHAR(32) NOT NULL,
	switch_to VARCHAR(32) NOT NULL,
	actor VARCHAR(32) NOT NULL,
	"by" TEXT NOT NULL,
	reason TEXT NOT NULL,
	route VARCHAR(32),
	exchanges TEXT NOT NULL,
	evidence TEXT NOT NULL,
	is_reviewed BOOLEAN NOT NULL,
	is_never_local BOOLEAN NOT NULL,
	reverts INTEGER,
	intended_at VARCHAR(32) NOT NULL,
	finished_at VARCHAR(32),
	outcome VARCHAR(32),
	error TEXT,
	CONSTRAINT ck_changes_settled CHECK ((outcome IS NULL) = (finished_at IS NULL)),
	CONSTRAINT ck_changes_kind CHECK (kind IN ('domain', 'addon', 'subdomain', 'alias')),
	CONSTRAINT ck_changes_switch_from CHECK (switch_from IN ('on', 'off', 'not-configured', 'unknown')),
	CONSTRAINT ck_changes_switch_to CHECK (switch_to IN ('on', 'off', 'not-configured', 'unknown')),
	CONSTRAINT ck_changes_actor CHECK (actor IN ('mailswitch', 'person')),
	CONSTRAINT ck_changes_route CHECK (route IN ('no-domain', 'no-mail', 'here', 'unknown', 'backup-here', 'forwarder', 'gateway', 'parked', 'dangling', 'elsewhere', 'implicit-here', 'implicit-elsewhere')),
	CONSTRAINT ck_changes_outcome CHECK (outcome IN ('done', 'failed')),
	CONSTRAINT fk_changes_run_id FOREIGN KEY(run_id) REFERENCES runs (id),
	CONSTRAINT fk_changes_reverts FOREIGN KEY(reverts) REFERENCES changes (id)
);
INSERT INTO "changes" VALUES(1,'run-1','web01','moved.example','domain','17','on','off','mailswitch','daemon','mail lives elsewhere','elsewhere','["mx.other.example"]','{"vantages": {}}',0,0,NULL,'2026-11-23T04:00:00.123456+00:00','2026-11-23T04:00:00.123456+00:00','done',NULL);
INSERT INTO "changes" VALUES(2,NULL,'web01','moved.example','domain','17','on','off','mailswitch','daemon','mail lives elsewhere','elsewhere','["mx.other.example"]','{"vantages": {}}',0,0,NULL,'2026-11-23T04:00:00.123456+00:00',NULL,NULL,NULL);
CREATE TABLE names (
	server TEXT NOT NULL,
	name TEXT NOT NULL,
	first_seen VARCHAR(32) NOT NULL,
	is_from_first_pass BOOLEAN NOT NULL,
	route VARCHAR(32),
	since VARCHAR(32),
	sightings INTEGER NOT NULL,
	last_sighting VARCHAR(32),
	credited BIGINT NOT NULL,
	ttl BIGINT NOT NULL,
	last_seen_here VARCHAR(32),
	was_here BOOLEAN NOT NULL,
	unknown_since VARCHAR(32),
	claim VARCHAR(32) NOT NULL,
	claim_change INTEGER,
	claim_route VARCHAR(32),
	claim_exchanges TEXT NOT NULL, gone_since VARCHAR(32),
	CONSTRAINT pk_names PRIMARY KEY (server, name),
	CONSTRAINT ck_names_sightings CHECK (sightings >= 0),
	CONSTRAINT ck_names_route CHECK (route IN ('no-domain', 'no-mail', 'here', 'unknown', 'backup-here', 'forwarder', 'gateway', 'parked', 'dangling', 'elsewhere', 'implicit-here', 'implicit-elsewhere')),
	CONSTRAINT ck_names_claim CHECK (claim IN ('none', 'ours', 're-enabled')),
	CONSTRAINT ck_names_claim_route CHECK (claim_route IN ('no-domain', 'no-mail', 'here', 'unknown', 'backup-here', 'forwarder', 'gateway', 'parked', 'dangling', 'elsewhere', 'implicit-here', 'implicit-elsewhere')),
	CONSTRAINT fk_names_claim_change FOREIGN KEY(claim_change) REFERENCES changes (id)
);
INSERT INTO "names" VALUES('web01','moved.example','2026-11-14T04:00:00.123456+00:00',0,'elsewhere','2026-11-21T04:00:00.123456+00:00',5,'2026-11-23T04:00:00.123456+00:00',108000000000,3600000000,NULL,1,NULL,'ours',1,'elsewhere','["mx.other.example"]',NULL);
CREATE TABLE next_passes (
	server TEXT NOT NULL,
	at VARCHAR(32) NOT NULL,
	CONSTRAINT pk_next_passes PRIMARY KEY (server)
);
INSERT INTO "next_passes" VALUES('web01','2026-11-23T05:00:00.123456+00:00');
CREATE TABLE notice_memory (
	id INTEGER NOT NULL,
	last_change INTEGER NOT NULL,
	open_changes TEXT NOT NULL,
	told TEXT NOT NULL,
	digest_at VARCHAR(32),
	done INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	unsent TEXT NOT NULL,
	CONSTRAINT pk_notice_memory PRIMARY KEY (id),
	CONSTRAINT ck_notice_memory_single CHECK (id = 1)
);
INSERT INTO "notice_memory" VALUES(1,1,'[2]','[{"kind": "failing", "code": "unreachable", "server": "web01", "name": null, "text": "cut off", "said_at": "2026-11-23T04:00:00.123456+00:00", "is_over": false}]','2026-11-23T04:00:00.123456+00:00',1,0,'[{"way": "mail", "id": "b0", "subject": "1 change", "text": "turned off", "document": "{}", "taken_at": null}]');
CREATE TABLE pause (
	id INTEGER NOT NULL,
	"by" TEXT NOT NULL,
	at VARCHAR(32) NOT NULL,
	reason TEXT,
	CONSTRAINT pk_pause PRIMARY KEY (id),
	CONSTRAINT ck_pause_single CHECK (id = 1)
);
INSERT INTO "pause" VALUES(1,'alice','2026-11-23T04:00:00.123456+00:00','moving servers');
CREATE TABLE pins (
	pattern TEXT NOT NULL,
	reason TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at VARCHAR(32) NOT NULL,
	until VARCHAR(32),
	CONSTRAINT pk_pins PRIMARY KEY (pattern)
);
INSERT INTO "pins" VALUES('*.example','ask first','root','2026-11-23T04:00:00.123456+00:00',NULL);
CREATE TABLE rechecks (
	name TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at VARCHAR(32) NOT NULL,
	CONSTRAINT pk_rechecks PRIMARY KEY (name)
);
INSERT INTO "rechecks" VALUES('moved.example','plesk','2026-11-23T04:00:00.123456+00:00');
CREATE TABLE runs (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL,
	mode VARCHAR(32) NOT NULL,
	"by" TEXT NOT NULL,
	started VARCHAR(32) NOT NULL,
	finished VARCHAR(32),
	"plan" TEXT,
	changes_done INTEGER NOT NULL,
	changes_failed INTEGER NOT NULL,
	CONSTRAINT uq_runs_id UNIQUE (id),
	CONSTRAINT ck_runs_counts CHECK (changes_done >= 0 AND changes_failed >= 0),
	CONSTRAINT ck_runs_mode CHECK (mode IN ('report', 'approve', 'enforce'))
);
INSERT INTO "runs" VALUES(1,'run-1','enforce','daemon','2026-11-23T04:00:00.123456+00:00',NULL,NULL,0,0);
CREATE TABLE server_passes (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	run_id TEXT NOT NULL,
	server TEXT NOT NULL,
	finished VARCHAR(32) NOT NULL,
	error_code TEXT,
	error_text TEXT,
	counts TEXT NOT NULL, is_partial BOOLEAN DEFAULT 0 NOT NULL,
	CONSTRAINT uq_server_passes_run_id_server UNIQUE (run_id, server),
	CONSTRAINT fk_server_passes_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "server_passes" VALUES(1,'run-1','web01','2026-11-23T04:00:00.123456+00:00',NULL,NULL,'[["keep", 2], ["turn_off", 1]]',0);
CREATE TABLE server_states (
	server TEXT NOT NULL,
	first_pass VARCHAR(32) NOT NULL,
	last_pass VARCHAR(32) NOT NULL,
	inventory_size INTEGER NOT NULL,
	smaller_since VARCHAR(32),
	CONSTRAINT pk_server_states PRIMARY KEY (server),
	CONSTRAINT ck_server_states_inventory_size CHECK (inventory_size >= 0)
);
INSERT INTO "server_states" VALUES('web01','2026-11-23T04:00:00.123456+00:00','2026-11-23T04:00:00.123456+00:00',3,NULL);
CREATE INDEX ix_server_passes_server_number ON server_passes (server, number);
CREATE INDEX ix_changes_server_name ON changes (server, name);
CREATE INDEX ix_changes_intended_at ON changes (intended_at);
CREATE INDEX ix_changes_run_id ON changes (run_id);
CREATE INDEX ix_changes_unsettled ON changes (id) WHERE outcome IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('changes',2);
INSERT INTO "sqlite_sequence" VALUES('runs',1);
INSERT INTO "sqlite_sequence" VALUES('server_passes',1);
COMMIT;
