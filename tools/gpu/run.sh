#!/usr/bin/env bash
# Runs what tools/gpu-bundle.mjs packed, on a GPU host without network:  run.sh [tests] [e2e] [bench] [demo]   (default: all)
#
# X_RESULTS: folder for full logs (default: results/ beside this script). X_POOL: folder of the example models when the
# bundle was made --without-pool (default: examples/gateway/pool of the repository this script lies in).
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=${X_WORK:-$here/unpacked}
results=${X_RESULTS:-$here/results}
mkdir -p "$work" "$results"
[ -x "$work/bin/node" ] || tar -C "$work" -xJf "$here/bundle.tar.xz" || exit 1
export PATH="$work/bin:$PATH"
export X_FAKE_NVML="$work/bin/fake_nvml.so"
[ -d "$work/reference" ] && export X_REFERENCE_DIR="$work/reference"
pool=${X_POOL:-$here/../examples/gateway/pool}
for model in "$pool"/*.gguf; do
  [ -e "$model" ] && [ ! -e "$work/examples/gateway/pool/${model##*/}" ] && ln -s "$(realpath "$model")" "$work/examples/gateway/pool/"
done

steps=" ${*:-tests e2e bench demo} "
failed=0
summary=()

step() { # step <label> <log> <seconds> <command...>
  local label=$1 log=$results/$2 limit=$3 start=$SECONDS status
  shift 3
  timeout -k 5 "$limit" "$@" >"$log" 2>&1
  status=$?
  [ $status -eq 0 ] || failed=1
  summary+=("$(printf '%-28s %-8s %4d s   %s' "$label" "$([ $status -eq 0 ] && echo ok || echo "rc $status")" $((SECONDS - start)) "$(grep -aE '\[  (PASSED|FAILED|SKIPPED) |^# (pass|fail|skipped) ' "$log" | tr '\n' ' ' | cut -c1-110)")")
}

echo "machine: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || echo 'no GPU'); $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2-); $(nproc) cores; $(date -u +%F)" | tee "$results/machine.txt"

if [[ $steps == *" tests "* ]]; then
  for program in "$work"/bin/xcore_*_test; do
    [ -e "$program" ] && step "C++ ${program##*/}" "${program##*/}.log" 240 "$program" --gtest_brief=1
  done
fi
if [[ $steps == *" e2e "* ]]; then
  step "Node end to end" e2e.log 300 node --test --test-reporter=tap "$work"/tests/gpu/
fi
if [[ $steps == *" bench "* ]]; then
  for program in "$work"/bin/xcore_*_bench; do
    [ -e "$program" ] && step "${program##*/}" "${program##*/}.log" 180 "$program"
  done
  if [ -e "$work/node_modules/@x/gguf-llm/bench/throughput.mjs" ]; then
    for device in cpu cuda; do
      step "throughput $device" "throughput-$device.log" 180 node "$work/node_modules/@x/gguf-llm/bench/throughput.mjs" --device $device "$work"/examples/gateway/pool/*.gguf
    done
  fi
fi
if [[ $steps == *" demo "* ]]; then
  step "demo on the GPU" demo.log 180 node "$work/examples/gateway/dist/main.js" --device cuda --report "$results/gateway-report.html"
fi

for log in "$results"/*_bench.log "$results"/throughput-*.log "$results"/demo.log; do
  [ -e "$log" ] && { echo "== ${log##*/}"; tail -n 40 "$log"; }
done
for log in "$results"/*_test.log "$results"/e2e.log; do
  [ -e "$log" ] && grep -qaE 'FAILED|^not ok|rror' "$log" && { echo "== failures in ${log##*/}"; grep -aE -B12 'FAILED|^not ok' "$log" | head -60; }
done
echo "== summary"
printf '%s\n' "${summary[@]}"
exit $failed
