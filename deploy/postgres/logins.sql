-- Makes the same roles as `betcore migrate`, and one login for each. It is safe to run it again.
-- An older version made tables as the administrator. They now go to the role that owns all tables.
\getenv migrator MIGRATOR_PASSWORD
\getenv gateway GATEWAY_PASSWORD
\getenv worker WORKER_PASSWORD
\getenv operator OPERATOR_PASSWORD
\getenv replication REPLICATION_PASSWORD
select format('create role %I', name) from unnest(array[
    'betcore_owner', 'betcore_gateway', 'betcore_worker', 'betcore_operator', 'betcore_reader',
    'migrator', 'gateway', 'worker', 'operator', 'replication'
]) name where to_regrole(name) is null \gexec
alter role migrator login password :'migrator';
alter role gateway login password :'gateway';
alter role worker login password :'worker';
alter role operator login password :'operator';
-- For the standby and the backups. It reads everything, and writes nothing.
alter role replication login replication password :'replication';
grant betcore_owner to migrator;
grant betcore_gateway to gateway;
grant betcore_worker to worker;
grant betcore_operator to operator;
grant pg_monitor to operator; -- the portal tells how far the standby is behind
grant betcore_reader to replication; -- the backups tell when they were made
alter database betcore owner to betcore_owner;
select format('alter %s owner to betcore_owner', thing) from (
    select case relkind when 'S' then 'sequence ' else 'table ' end || oid::regclass, relowner
    from pg_class
    where relnamespace = 'public'::regnamespace
      and (relkind in ('r', 'p') or relkind = 'S' and relname = 'ledger_ids')
    union all
    select 'function ' || oid::regprocedure, proowner
    from pg_proc where pronamespace = 'public'::regnamespace
) made(thing, by) where by = current_user::regrole \gexec
