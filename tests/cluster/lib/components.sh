# shellcheck shell=bash
# The components of the node's cluster: their settings and the order of their start.

configure_components() {
  "$binary" credentials "$run" "$node_address" 6443 "$node"
  mkdir -p "$run/cni" "$disk/kubelet"
  containerd_config >"$run/containerd.toml"
  bridge_config >"$run/cni/10-bridge.conf"
  kubelet_config >"$run/kubelet.yaml"
  proxy_config >"$run/kube-proxy.yaml"
}

start_containerd() { daemon containerd containerd --config "$run/containerd.toml"; }

start_server() {
  daemon etcd "$binary" etcd --data-dir="$disk/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380
  daemon kube-apiserver "$binary" kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 \
    --bind-address="$node_address" --advertise-address="$node_address" --secure-port=6443 \
    --tls-cert-file="$run/apiserver.crt" --tls-private-key-file="$run/apiserver.key" \
    --client-ca-file="$run/ca.crt" --token-auth-file="$run/tokens.csv" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-account-key-file="$run/service-account.key" \
    --service-account-signing-key-file="$run/service-account.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-cluster-ip-range="$service_range" \
    --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$run/apiserver-kubelet-client.crt" \
    --kubelet-client-key="$run/apiserver-kubelet-client.key" \
    --audit-policy-file="$here/audit-policy.yaml" --audit-log-path="$logs/audit.log" --audit-log-mode=blocking
}

start_rest() {
  daemon kube-controller-manager "$binary" kube-controller-manager \
    --kubeconfig="$run/kube-controller-manager.kubeconfig" --secure-port=0 --leader-elect=false \
    --use-service-account-credentials --root-ca-file="$run/ca.crt" \
    --service-account-private-key-file="$run/service-account.key" \
    --kube-api-qps=500 --kube-api-burst=1000
  daemon kube-scheduler "$binary" kube-scheduler \
    --kubeconfig="$run/kube-scheduler.kubeconfig" --secure-port=0 --leader-elect=false
  daemon kube-proxy "$binary" kube-proxy --config="$run/kube-proxy.yaml"
  daemon kubelet "$binary" kubelet --config="$run/kubelet.yaml" --kubeconfig="$run/kubelet.kubeconfig" \
    --root-dir="$disk/kubelet" --cert-dir="$run/kubelet-certificates" \
    --hostname-override="$node" --node-ip="$node_address"
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc could not start anything.
# netns_mounts_under_state_dir: so that they are found when they must go.
containerd_config() {
  local programs=/usr/lib/cni
  [ -x "$programs/bridge" ] || programs=/opt/cni/bin
  cat <<EOF_CONTAINERD
version = 2
root = "$disk/containerd"
state = "$run/containerd"
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$programs"
    conf_dir = "$run/cni"
EOF_CONTAINERD
}

bridge_config() {
  cat <<EOF_BRIDGE
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "type": "bridge",
  "bridge": "pods",
  "isGateway": true,
  "hairpinMode": true,
  "ipam": {
    "type": "host-local",
    "dataDir": "$run/cni-addresses",
    "ranges": [[{"subnet": "$pod_range"}]],
    "routes": [{"dst": "0.0.0.0/0"}]
  }
}
EOF_BRIDGE
}

# Images can't be pulled again here, so none may be collected. Changed Secrets
# reach their pods with the next sync: the default of a minute would be what
# tests wait for.
kubelet_config() {
  cat <<EOF_KUBELET
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$run/containerd.sock
address: $node_address
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $run/ca.crt}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$network
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
clusterDNS: [$dns_address]
clusterDomain: cluster.local
resolvConf: $run/resolv.conf
podLogsDir: $logs/pods
syncFrequency: 10s
imageGCLowThresholdPercent: 99
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: 1%
  nodefs.available: 1%
  nodefs.inodesFree: 1%
  imagefs.available: 1%
EOF_KUBELET
}

proxy_config() {
  cat <<EOF_PROXY
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
bindAddress: $node_address
hostnameOverride: $node
clusterCIDR: $pod_range
clientConnection: {kubeconfig: $run/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
EOF_PROXY
}
