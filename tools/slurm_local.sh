#!/usr/bin/env bash
# Runs a Slurm cluster on this machine, for tests: munged, slurmctld and two nodes (slurmd -N), all in a folder
# of their own. Needs Debian's slurm-wlm and munge (`./dev setup --slurm`), and root, since slurmd runs jobs.
#
#   tools/slurm_local.sh start DIR [CPUS]   start it; each node has CPUS CPUs (default 2) and says that it has two GPUs
#   tools/slurm_local.sh stop DIR           end all its processes
#   tools/slurm_local.sh restart DIR        restart the controller alone; jobs continue
#
# Clients find the cluster by SLURM_CONF=DIR/slurm.conf. Nodes are one and two; the partition is `test`.
set -euo pipefail

fail() { echo "slurm_local: $1" >&2; exit 1; }

[[ $# -ge 2 ]] || fail "usage: tools/slurm_local.sh start|stop|restart DIR"
command=$1
mkdir -p "$2"
dir=$(readlink -f "$2")
export SLURM_CONF=$dir/slurm.conf

# Returns a TCP port that nobody listens on.
free_port() {
  python3 -c 'import socket
s = socket.socket()
s.bind(("", 0))
print(s.getsockname()[1])'
}

write_config() {
  local cpus=$1 host megabytes
  megabytes=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
  host=$(hostname -s)
  mkdir -p "$dir"/{state,spool-one,spool-two,munge}
  chmod 700 "$dir/munge"
  cat >"$dir/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=30
SlurmctldTimeout=30
KillWait=20
MinJobAge=3600
InactiveLimit=0
MaxArraySize=1001
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=$cpus RealMemory=$megabytes Gres=gpu:2 State=UNKNOWN
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=$cpus RealMemory=$megabytes Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes=one,two Default=YES MaxTime=INFINITE State=UP
CONF
  # Slurm counts GPUs by their device files. Any two files will do, since no job opens them.
  echo "NodeName=one,two Name=gpu File=/dev/zero,/dev/full" >"$dir/gres.conf"
}

# Starts a daemon in the foreground, in a session of its own, and remembers its process.
run() {
  local name=$1
  shift
  setsid "$@" >>"$dir/$name.out" 2>&1 </dev/null &
  echo $! >"$dir/$name.process"
}

# Ends a daemon that `run` has started.
end() {
  local file=$dir/$1.process id
  [[ -f $file ]] || return 0
  id=$(<"$file")
  # Another process may have the id by now; that of a daemon has the folder in its environment.
  if tr '\0' '\n' 2>/dev/null <"/proc/$id/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF"; then
    kill "$id" 2>/dev/null || true
    for _ in {1..50}; do [[ -d /proc/$id ]] && sleep 0.1; done
    kill -9 "$id" 2>/dev/null || true
  fi
  rm -f "$file"
}

start_controller() { run slurmctld slurmctld -D ${1:+"$1"}; }

wait_for_nodes() {
  for _ in {1..150}; do
    if [[ $(sinfo -h -N -o '%T' 2>/dev/null | grep -cE '^(idle|mixed|allocated)$') == 2 ]]; then return; fi
    sleep 0.2
  done
  tail -n 20 "$dir"/*.log "$dir"/*.out >&2 || true
  fail "the nodes are not ready after 30 s: $(sinfo -h -N -o '%N %T %E' 2>&1)"
}

case $command in
  start)
    for program in munged slurmctld slurmd sinfo; do
      command -v "$program" >/dev/null || fail "$program is not installed; run ./dev setup --slurm"
    done
    [[ $(id -u) -eq 0 ]] || fail "slurmd needs root"
    write_config "${3:-2}"
    head -c 128 /dev/urandom >"$dir/munge/key"
    chmod 600 "$dir/munge/key"
    run munged munged --foreground --force --socket="$dir/munge/socket" --key-file="$dir/munge/key" \
      --seed-file="$dir/munge/seed" --pid-file="$dir/munge/pid" --log-file="$dir/munge/log"
    for _ in {1..50}; do [[ -S $dir/munge/socket ]] || sleep 0.1; done
    start_controller -c
    run slurmd-one slurmd -D -N one
    run slurmd-two slurmd -D -N two
    wait_for_nodes
    ;;
  restart)
    end slurmctld
    start_controller
    ;;
  stop)
    scancel --state=PENDING --user=root 2>/dev/null || true
    scancel --user=root 2>/dev/null || true
    for name in slurmd-one slurmd-two slurmctld munged; do end "$name"; done
    ;;
  *) fail "unknown command '$command'; expected start, stop or restart" ;;
esac
