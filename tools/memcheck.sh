#!/bin/sh
# Runs the unit tests of arena, buffers and thread hand-off under valgrind.
set -eu
cd "$(dirname "$0")/.."
binary=$(cargo test --lib --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
for filter in array:: graph:: kernels::pool kernels::gather; do
    valgrind -q --error-exitcode=1 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "$binary" "$filter" --test-threads=1
done
