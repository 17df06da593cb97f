#!/usr/bin/env bash
# Installs the real Alembic with SQLAlchemy, Django or Drizzle under .cache/, for the tests that compare with it: orm.sh alembic|django|drizzle
# Prints the folder: a Python environment, or one with node_modules.
set -euo pipefail

cd "$(dirname "$0")/../.."
name=${1:-}
case $name in
    alembic) packages=(alembic==1.20.1 psycopg2-binary==2.9.13 sqlalchemy==2.1.9) ;;
    django) packages=(django==5.2.19 psycopg2-binary==2.9.13) ;;
    drizzle) packages=(drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1) ;;
    *) echo "usage: orm.sh alembic|django|drizzle" >&2; exit 1 ;;
esac
home=.cache/$name
mkdir -p .cache

install_wheels() {
    python3 -m venv "$home" >&2
    "$home/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
}

install_modules() {
    mkdir -p "$home"
    (cd "$home" && echo '{"private":true,"type":"module"}' >package.json && npm install --silent --no-audit --no-fund "${packages[@]}" >&2)
}

# Several test programs may ask at once; the first one installs. A folder without its mark is incomplete and installed again.
exec 9>"$home.lock"
flock 9
if [ "$(cat "$home/made" 2>/dev/null)" != "${packages[*]}" ]; then
    rm -rf "$home"
    if [ "$name" = drizzle ]; then install_modules; else install_wheels; fi
    printf '%s' "${packages[*]}" >"$home/made"
fi
realpath --no-symlinks "$home"
