# shellcheck shell=bash
# What "deploy/quickstart --stack" adds, which sources this file: an exporter on every node of the
# throwaway cluster, and Debian's Prometheus and Alertmanager with deploy/prometheus, on this
# machine's loopback. From quickstart: children, fail and print_step.

prometheus_url=http://127.0.0.1:9090
alertmanager_url=http://127.0.0.1:9093
stack_nodes=(1 2 3)
stack_dir="" # what Prometheus and Alertmanager read and write

stack_port() { # NODE
  echo $((10055 + $1))
}

stack_ports() {
  local node
  for node in "${stack_nodes[@]}"; do
    stack_port "$node"
  done
  echo "${prometheus_url##*:}" "${alertmanager_url##*:}"
}

start_stack() { # EXPORTER
  local node targets=()
  for node in "${stack_nodes[@]}"; do
    deploy/lab exec "$node" "$1" --web.listen-address="127.0.0.1:$(stack_port "$node")" &
    children+=($!)
    deploy/lab forward "$node" "$(stack_port "$node")" &
    children+=($!)
    targets+=("127.0.0.1:$(stack_port "$node")")
  done

  stack_dir=$(mktemp -d)
  cp -r deploy/prometheus/. "$stack_dir"
  sed -i 's/15s/5s/' "$stack_dir/prometheus.yml" # who tries it does not want to wait
  (IFS=,; echo "[{targets: [${targets[*]}], labels: {cluster: lab}}]") \
    >"$stack_dir/targets/corosync.yml"
  # The receivers keep their names and lose their addresses: nobody is sent anything.
  sed -i '/^receivers:/,/^$/{/webhook_configs:/d; /url:/d; /send_resolved:/d}' \
    "$stack_dir/alertmanager.yml"

  prometheus --config.file="$stack_dir/prometheus.yml" --storage.tsdb.path="$stack_dir/data" \
    --web.listen-address="${prometheus_url#http://}" --log.level=warn &
  children+=($!)
  prometheus-alertmanager --config.file="$stack_dir/alertmanager.yml" \
    --storage.path="$stack_dir/alertmanager" --cluster.listen-address= \
    --web.listen-address="${alertmanager_url#http://}" --log.level=warn &
  children+=($!)
}

print_stack_guide() {
  local node
  echo
  for node in "${stack_nodes[@]}"; do
    echo "  Node $node's page:    http://127.0.0.1:$(stack_port "$node")/"
  done
  echo "  Prometheus:       $prometheus_url/alerts    what fires, or is about to"
  echo "  Alertmanager:     $alertmanager_url/           what of it is told; here it is told nobody"
  echo
  echo "Rules and inhibitions are as they are shipped; it scrapes every 5 s. In another terminal,"
  echo "from $PWD:"
  echo
  print_step "cut 3" "node 3 loses its network: after two minutes CorosyncQuorumLost tells of"
  print_step "" "it, and CorosyncQuorumAtRisk of the other two; CorosyncMemberMissing,"
  print_step "" "a minute later, is inhibited: one cause rings one bell"
  print_step "cut 2" "so does node 2: CorosyncClusterQuorumLost after another minute"
  print_step "heal 2" "node 2 is back; 'heal 3' brings back node 3, and all alerts end"
  print_step "freeze 3" "its corosync hangs: CorosyncHung after 75 s; 'thaw 3' lets it go on"
  print_step "kill 2" "its corosync crashes: CorosyncDown after two minutes; 'start 2'"
  echo
  echo "What else happens when: docs/alert-matrix.md. Ctrl-C ends it, and leaves nothing behind."
  echo
}

prometheus_says() { # QUERY, which has an answer where it is so
  curl --silent --max-time 5 --get "$prometheus_url/api/v1/query" --data-urlencode "query=$1" |
    grep -qF '"result":[{'
}

stack_is_good() {
  local nodes=${#stack_nodes[@]}
  missing="not all nodes are scraped"
  prometheus_says "sum(up{job='corosync'}) == $nodes" || return
  missing="the cluster is not quorate, or the recording rules are not loaded"
  prometheus_says "cluster:corosync_quorate:min == 1 and cluster:corosync_members:max == $nodes" ||
    return
  missing="the alerts are not loaded"
  curl --silent --max-time 5 "$prometheus_url/api/v1/rules?type=alert" |
    grep -qF '"name":"CorosyncClusterQuorumLost"' || return
  missing="Prometheus does not know the Alertmanager"
  curl --silent --max-time 5 "$prometheus_url/api/v1/alertmanagers" |
    grep -qF ":${alertmanager_url##*:}/api/v2/alerts\"" || return
  missing="the Alertmanager is not ready"
  curl --silent --max-time 5 --fail --output /dev/null "$alertmanager_url/-/ready"
}

check_stack() {
  local missing="" deadline=$((SECONDS + 60))
  until stack_is_good; do
    if ((SECONDS >= deadline)); then
      deploy/lab status >&2
      fail "$missing, after a minute"
    fi
    sleep 0.5
  done
  echo "${#stack_nodes[@]} nodes are scraped and quorate, the rules are loaded, Alertmanager is ready"
}
