-- The table of activities in partitions by organisation, while everybody goes on working; and back.
-- PostgreSQL 14 or newer, without an outage and without a lock that lasts. docs/scaling.md says when.
--
--   psql $DATABASE_URL -f docs/sql/partition_activities.sql      these procedures, and nothing else
--   CALL partitioning_start(16);     a twin in 16 partitions, kept in step by a trigger from now on
--   CALL partitioning_copy();        what was there before, by the ten thousand; go on by calling again
--   SELECT * FROM partitioning_compare();                       both must say the same
--   CALL partitioning_swap();        the twin takes the name; the other is kept in step. Again: back
--   CALL partitioning_finish();      drop the one that is not used: no way back from here
--   CALL partitioning_abandon();     drop the twin before a swap, or after going back
--
-- Unique indexes of a partitioned table must hold the key it is partitioned by. So the primary key is
-- (organisation, id), and the one foreign key that points at activities (of the inbox's traces) goes.

CREATE OR REPLACE PROCEDURE partitioning_start(parts integer) LANGUAGE plpgsql AS $$
DECLARE one record;
BEGIN
    SET LOCAL lock_timeout = '5s';
    CREATE TABLE activities_twin (LIKE activities_activity INCLUDING DEFAULTS)
        PARTITION BY HASH (organisation_id);
    FOR number IN 0 .. parts - 1 LOOP
        EXECUTE format(
            'CREATE TABLE activities_part_%s PARTITION OF activities_twin'
            ' FOR VALUES WITH (MODULUS %s, REMAINDER %s)', number, parts, number);
    END LOOP;
    -- Both count on from the same sequence, whichever is in use.
    EXECUTE format('ALTER TABLE activities_twin ALTER id SET DEFAULT nextval(%L)',
        pg_get_serial_sequence('activities_activity', 'id'));
    ALTER TABLE activities_twin ADD CONSTRAINT twin_pkey PRIMARY KEY (organisation_id, id);
    FOR one IN SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = current_schema AND tablename = 'activities_activity'
        AND indexname <> 'activities_activity_pkey'
    LOOP
        EXECUTE replace(replace(one.indexdef, format('INDEX %I ON', one.indexname),
            format('INDEX %I ON', 'twin_' || one.indexname)), '.activities_activity ', '.activities_twin ');
    END LOOP;
    FOR one IN SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE conrelid = 'activities_activity'::regclass AND contype IN ('f', 'c')
    LOOP
        EXECUTE format('ALTER TABLE activities_twin ADD CONSTRAINT %I %s', one.conname, one.definition);
    END LOOP;
    CREATE TRIGGER keep_twin AFTER INSERT OR UPDATE OR DELETE ON activities_activity
        FOR EACH ROW EXECUTE FUNCTION partitioning_keep('activities_twin');
    CREATE TABLE partitioning_progress (copied bigint NOT NULL, until bigint NOT NULL);
    INSERT INTO partitioning_progress SELECT 0, COALESCE(max(id), 0) FROM activities_activity;
END $$;

-- The trigger: in the other table, the row as it is now. In the same transaction, so they never differ.
CREATE OR REPLACE FUNCTION partitioning_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        EXECUTE format('DELETE FROM %I WHERE organisation_id = $1 AND id = $2', TG_ARGV[0])
            USING OLD.organisation_id, OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE format('INSERT INTO %I SELECT ($1).*', TG_ARGV[0]) USING NEW;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE PROCEDURE partitioning_copy(rows integer DEFAULT 10000) LANGUAGE plpgsql AS $$
DECLARE first bigint; last bigint; until_id bigint;
BEGIN
    LOOP
        SELECT copied, until INTO first, until_id FROM partitioning_progress;
        EXIT WHEN first >= until_id;
        SELECT max(id) INTO last FROM (
            SELECT id FROM activities_activity WHERE id > first ORDER BY id LIMIT rows) AS batch;
        EXIT WHEN last IS NULL;
        -- Locked, so that nobody deletes a row between its reading and its writing. What was written
        -- since the start is in the twin already, by the trigger.
        WITH batch AS (
            SELECT * FROM activities_activity WHERE id > first AND id <= last ORDER BY id FOR SHARE)
        INSERT INTO activities_twin SELECT * FROM batch ON CONFLICT (organisation_id, id) DO NOTHING;
        UPDATE partitioning_progress SET copied = last;
        COMMIT;
    END LOOP;
END $$;

-- In one statement, so both are seen as of one moment, and nobody waits for it.
CREATE OR REPLACE FUNCTION partitioning_compare()
    RETURNS TABLE (which text, rows bigint, checksum numeric) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'activities_activity', count(*), sum(hashtextextended(a::text, 0)::numeric)
        FROM activities_activity AS a
    UNION ALL SELECT 'activities_twin', count(*), sum(hashtextextended(t::text, 0)::numeric)
        FROM activities_twin AS t;
END $$;

CREATE OR REPLACE PROCEDURE partitioning_swap() LANGUAGE plpgsql AS $$
DECLARE one record; from_old boolean;
BEGIN
    -- Whoever cannot have the table within two seconds lets go: call again.
    SET LOCAL lock_timeout = '2s';
    LOCK TABLE activities_activity, activities_twin IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM partitioning_progress WHERE copied < until) AND EXISTS (
        SELECT FROM activities_activity, partitioning_progress WHERE id > copied AND id <= until) THEN
        RAISE EXCEPTION 'not all is copied: CALL partitioning_copy()';
    END IF;
    DROP TRIGGER keep_twin ON activities_activity;
    SELECT relkind = 'r' INTO from_old FROM pg_class WHERE oid = 'activities_activity'::regclass;
    IF from_old THEN
        ALTER TABLE integrations_deliverytrace
            DROP CONSTRAINT IF EXISTS integrations_deliver_activity_id_400767e6_fk_activitie;
    END IF;
    ALTER TABLE activities_activity RENAME TO activities_between;
    ALTER TABLE activities_twin RENAME TO activities_activity;
    ALTER TABLE activities_between RENAME TO activities_twin;
    -- Migrations know indexes by their names.
    FOR one IN SELECT indexname FROM pg_indexes
        WHERE schemaname = current_schema AND tablename = 'activities_twin'
        AND indexname NOT LIKE 'twin\_%' AND indexname <> 'activities_activity_pkey'
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', one.indexname, 'between_' || one.indexname);
        EXECUTE format('ALTER INDEX %I RENAME TO %I', 'twin_' || one.indexname, one.indexname);
        EXECUTE format('ALTER INDEX %I RENAME TO %I',
            'between_' || one.indexname, 'twin_' || one.indexname);
    END LOOP;
    CREATE TRIGGER keep_twin AFTER INSERT OR UPDATE OR DELETE ON activities_activity
        FOR EACH ROW EXECUTE FUNCTION partitioning_keep('activities_twin');
END $$;

CREATE OR REPLACE PROCEDURE partitioning_finish() LANGUAGE plpgsql AS $$
DECLARE last bigint;
BEGIN
    SET LOCAL lock_timeout = '2s';
    LOCK TABLE activities_activity, activities_twin IN ACCESS EXCLUSIVE MODE;
    IF (SELECT relkind = 'r' FROM pg_class WHERE oid = 'activities_activity'::regclass) THEN
        RAISE EXCEPTION 'the table in use has no partitions: swap first, or abandon';
    END IF;
    DROP TRIGGER keep_twin ON activities_activity;
    -- The old table takes its sequence with it.
    EXECUTE format('SELECT last_value FROM %s', pg_get_serial_sequence('activities_twin', 'id')) INTO last;
    EXECUTE format('CREATE SEQUENCE activities_id START %s OWNED BY activities_activity.id', last + 1);
    ALTER TABLE activities_activity ALTER id SET DEFAULT nextval('activities_id');
    DROP TABLE activities_twin, partitioning_progress;
END $$;

CREATE OR REPLACE PROCEDURE partitioning_abandon() LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL lock_timeout = '2s';
    IF (SELECT relkind = 'p' FROM pg_class WHERE oid = 'activities_activity'::regclass) THEN
        RAISE EXCEPTION 'the partitions are in use: swap back first';
    END IF;
    DROP TRIGGER keep_twin ON activities_activity;
    DROP TABLE activities_twin, partitioning_progress;
    ALTER TABLE integrations_deliverytrace
        DROP CONSTRAINT IF EXISTS integrations_deliver_activity_id_400767e6_fk_activitie;
    ALTER TABLE integrations_deliverytrace
        ADD CONSTRAINT integrations_deliver_activity_id_400767e6_fk_activitie
        FOREIGN KEY (activity_id) REFERENCES activities_activity (id)
        DEFERRABLE INITIALLY DEFERRED NOT VALID;
END $$;
