package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// world: a server and a client in one namespace, a stranger in another.
func world(t *testing.T, policies ...string) View {
	t.Helper()
	view := View{
		Namespaces: map[string]labels.Set{"a": {"team": "one"}, "b": {"team": "two"}},
		Pods: []Pod{
			{"a", labels.Set{"app": "server"}, []string{"10.0.0.1"}, []corev1.ContainerPort{
				{Name: "http", ContainerPort: 8080}, {Name: "http", ContainerPort: 5353, Protocol: "UDP"},
			}},
			{"a", labels.Set{"app": "client"}, []string{"10.0.0.2"}, nil},
			{"b", labels.Set{"app": "stranger"}, []string{"10.0.0.3"}, []corev1.ContainerPort{{Name: "http", ContainerPort: 9090}}},
		},
	}
	for _, text := range policies {
		var policy netv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte("metadata: {name: p, namespace: a}\nspec: "+text), &policy); err != nil {
			t.Fatal(err)
		}
		view.Policies = append(view.Policies, &policy)
	}
	return view
}

func expect(t *testing.T, view View, address string, way direction, lines ...string) {
	t.Helper()
	rules := Compute(view)
	chains := rules.In
	if way == egress {
		chains = rules.Out
	}
	chain, isolated := chains[address]
	if !isolated {
		t.Fatalf("%s is not isolated %s", address, way.name)
	}
	if found := strings.Join(rules.Chains[chain], "\n"); found != strings.Join(lines, "\n") {
		t.Errorf("%s %s:\n%s\nexpected:\n%s", address, way.name, found, strings.Join(lines, "\n"))
	}
}

func TestWithoutPoliciesNobodyIsIsolated(t *testing.T) {
	if rules := Compute(world(t)); len(rules.Chains)+len(rules.In)+len(rules.Out) != 0 {
		t.Error(rules)
	}
}

func TestDefaultDenyIsolatesTheNamespaceInBothDirections(t *testing.T) {
	view := world(t, "{podSelector: {}, policyTypes: [Ingress, Egress]}")
	for _, address := range []string{"10.0.0.1", "10.0.0.2"} {
		expect(t, view, address, ingress)
		expect(t, view, address, egress)
	}
	if _, isolated := Compute(view).In["10.0.0.3"]; isolated {
		t.Error("a policy isolates a pod of another namespace")
	}
}

func TestAPolicyOfOneDirectionLeavesTheOther(t *testing.T) {
	rules := Compute(world(t, "{podSelector: {}, policyTypes: [Egress]}"))
	if len(rules.In) != 0 || len(rules.Out) != 2 {
		t.Error(rules)
	}
}

func TestPodSelectorMeansTheSameNamespace(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}]}]}")
	expect(t, view, "10.0.0.1", ingress, "ip saddr { 10.0.0.1, 10.0.0.2 } tcp dport 8080 return")
}

func TestNamespaceSelectorMeansAllItsPods(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}}]}]}")
	expect(t, view, "10.0.0.1", ingress, "ip saddr { 10.0.0.3 } return")
}

func TestBothSelectorsMustMatch(t *testing.T) {
	both := "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: stranger}}}]}]}"
	expect(t, world(t, both), "10.0.0.1", ingress, "ip saddr { 10.0.0.3 } return")
	none := "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: one}}, podSelector: {matchLabels: {app: stranger}}}]}]}"
	expect(t, world(t, none), "10.0.0.1", ingress)
}

func TestAPeerThatMatchesNobodyAllowsNobody(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}")
	expect(t, view, "10.0.0.1", ingress)
}

func TestAnEmptyRuleAllowsAll(t *testing.T) {
	expect(t, world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{}]}"), "10.0.0.1", ingress, "return")
}

func TestABlockHasExceptions(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}]}]}")
	expect(t, view, "10.0.0.2", egress, "ip daddr 10.0.0.0/8 ip daddr != 10.1.0.0/16 ip daddr != 10.2.0.0/16 return")
	view = world(t, "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 'fd00::/8'}}]}]}")
	expect(t, view, "10.0.0.2", egress, "ip6 daddr fd00::/8 return")
}

func TestANamedPortOnTheWayInIsThePodsOwn(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: http}]}]}")
	expect(t, view, "10.0.0.1", ingress, "tcp dport 8080 return")
	view = world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: http, protocol: UDP}]}]}")
	expect(t, view, "10.0.0.1", ingress, "udp dport 5353 return")
}

func TestANamedPortOnTheWayOutIsThatOfEachPeer(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: http}]}]}")
	expect(t, view, "10.0.0.2", egress, "ip daddr { 10.0.0.1 } tcp dport 8080 return", "ip daddr { 10.0.0.3 } tcp dport 9090 return")
	view = world(t, "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: http}]}]}")
	expect(t, view, "10.0.0.2", egress, "ip daddr { 10.0.0.1 } tcp dport 8080 return")
}

func TestPortRangesAndProtocols(t *testing.T) {
	view := world(t, "{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8000, endPort: 8100}, {protocol: UDP}]}]}")
	expect(t, view, "10.0.0.1", ingress, "meta l4proto udp return", "tcp dport 8000-8100 return")
}

func TestSeveralPoliciesAdd(t *testing.T) {
	view := world(t, "{podSelector: {}, policyTypes: [Ingress]}",
		"{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 1}]}]}",
		"{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 2}]}]}")
	expect(t, view, "10.0.0.1", ingress, "tcp dport 1 return", "tcp dport 2 return")
	expect(t, view, "10.0.0.2", ingress)
}

func TestAScriptReplacesTheEarlierChainsInOneTransaction(t *testing.T) {
	rules := Compute(world(t, "{podSelector: {}, policyTypes: [Ingress]}"))
	first := Script(rules, nil)
	if !strings.HasPrefix(first, "table inet netpol\ndelete table inet netpol\n") || !strings.Contains(first, "set refused") {
		t.Error(first)
	}
	next := Script(Rules{}, names(rules))
	for _, chain := range names(rules) {
		if !strings.Contains(next, "delete chain inet netpol "+chain+"\n") {
			t.Error(next)
		}
	}
	if strings.Contains(next, "vmap") || strings.Contains(next, "set refused") {
		t.Error(next)
	}
}

func TestAPodMayAlwaysReachItself(t *testing.T) {
	script := Script(Compute(world(t, "{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress]}")), nil)
	if !strings.Contains(script, "ip saddr . ip daddr { 10.0.0.1 . 10.0.0.1 } accept") {
		t.Error(script)
	}
}

func TestAddressesAreReadFromWhatTheNetworkPluginsLeft(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"net-1-eth0":   `{"networkName": "net", "cniArgs": [["K8S_POD_NAMESPACE", "a"], ["K8S_POD_NAME", "p"]], "result": {"ips": [{"address": "10.0.0.9/16"}]}}`,
		"net-2-eth0":   `{"networkName": "net", "cniArgs": [["K8S_PO`,
		"net-x-3-eth0": `{"networkName": "net-x", "cniArgs": [["K8S_POD_NAMESPACE", "a"], ["K8S_POD_NAME", "q"]], "result": {"ips": [{"address": "10.0.0.8/16"}]}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := readAddresses(folder, "net")
	if len(found) != 1 || len(found["a/p"]) != 1 || found["a/p"][0] != "10.0.0.9" {
		t.Error(found)
	}
}
