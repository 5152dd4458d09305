#!/bin/sh
# Run once by the postgres image, as its superuser, on an empty data directory. The owner of the tables is no superuser,
# and each service logs in as the role that it runs under; `arrears migrate` then finds every role and needs no right
# to make one. Passwords come from mounted files and are on no command line.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set owner `cat "$SECRETS"/owner-password`
\set api `cat "$SECRETS"/api-password`
\set scheduler `cat "$SECRETS"/scheduler-password`
\set notifier `cat "$SECRETS"/notifier-password`
create role arrears_owner login password :'owner';
create role arrears_service nologin;
create role arrears_api login password :'api' in role arrears_service;
create role arrears_scheduler login password :'scheduler' in role arrears_service;
create role arrears_notifier login password :'notifier' in role arrears_service;
grant pg_read_all_stats to arrears_api; -- to show the age of the oldest transaction, whoever holds it
alter database :DBNAME owner to arrears_owner;
revoke connect, temporary on database :DBNAME from public;
grant connect on database :DBNAME to arrears_service;
SQL
