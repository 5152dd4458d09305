#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, once: what is there stays. They are for this deployment alone.
# Files are readable so that a container's user can read the one that is mounted; the directory keeps others out.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
word() { head -c 32 /dev/urandom | od -An -v -t x1 | tr -d ' \n'; }
once() { # NAME: standard input becomes the file, unless there is one
    if [ -s "secrets/$1" ]; then cat > /dev/null; return; fi
    cat > "secrets/$1.new"
    chmod 444 "secrets/$1.new"
    mv "secrets/$1.new" "secrets/$1"
    echo "made deploy/secrets/$1"
}

for name in postgres grafana sms; do word | once "$name-password"; done
for role in owner api scheduler notifier; do
    word | once "$role-password"
    printf 'postgresql://arrears_%s:%s@postgres:5432/arrears' "$role" "$(cat "secrets/$role-password")" | once "$role-url"
done
# Of a deployment that is to live, keep this one apart from the backups: without it the data can not be read.
printf '{"development": false, "current": 1, "keys": {"1": "%s"}, "root": "%s"}\n' "$(random 32)" "$(random 32)" |
    once keys.json
