package main

import (
	"fmt"
	"hash/fnv"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Pod is what policies see of a pod. While it is replaced it may have two addresses.
type Pod struct {
	Namespace string
	Labels    labels.Set
	Addresses []string
	Ports     []corev1.ContainerPort
}

// View is all that decides: the pods of the node's network, the labels of all namespaces, and the policies.
type View struct {
	Pods       []Pod
	Namespaces map[string]labels.Set
	Policies   []*netv1.NetworkPolicy
}

type direction struct{ name, peer string }

var (
	ingress = direction{"in", "saddr"}
	egress  = direction{"out", "daddr"}
)

// peer is one alternative of a rule's `from` or `to`: a match of addresses, and the pods that it stands for.
type peer struct {
	match string
	pods  []Pod
}

// Rules are the chains of all isolated pods, by name, and which chain an address passes in each direction.
type Rules struct {
	Chains  map[string][]string
	In, Out map[string]string
}

// Compute turns policies into chains. A chain returns what is allowed and refuses the rest; a pod that no policy
// selects has none. Pods with the same rules share one.
func Compute(view View) Rules {
	rules := Rules{Chains: map[string][]string{}, In: map[string]string{}, Out: map[string]string{}}
	for _, pod := range view.Pods {
		for _, way := range []direction{ingress, egress} {
			lines, isolated := view.lines(pod, way)
			if !isolated {
				continue
			}
			chain := rules.add(way.name, lines)
			for _, address := range pod.Addresses {
				if way == ingress {
					rules.In[address] = chain
				} else {
					rules.Out[address] = chain
				}
			}
		}
	}
	return rules
}

func (r *Rules) add(prefix string, lines []string) string {
	sum := fnv.New64a()
	for _, line := range lines {
		sum.Write([]byte(line + "\n"))
	}
	name := fmt.Sprintf("%s_%016x", prefix, sum.Sum64())
	r.Chains[name] = lines
	return name
}

func (v View) lines(pod Pod, way direction) (lines []string, isolated bool) {
	for _, policy := range v.Policies {
		if policy.Namespace != pod.Namespace || !matches(&policy.Spec.PodSelector, pod.Labels) || !concerns(policy, way) {
			continue
		}
		isolated = true
		if way == ingress {
			for _, rule := range policy.Spec.Ingress {
				lines = append(lines, allowed(v.peers(policy.Namespace, rule.From, way), rule.Ports, &pod)...)
			}
		} else {
			for _, rule := range policy.Spec.Egress {
				lines = append(lines, allowed(v.peers(policy.Namespace, rule.To, way), rule.Ports, nil)...)
			}
		}
	}
	sort.Strings(lines)
	return lines, isolated
}

func concerns(policy *netv1.NetworkPolicy, way direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 { // the API server fills it in, from what is given
		return way == ingress || len(policy.Spec.Egress) > 0
	}
	for _, kind := range policy.Spec.PolicyTypes {
		if (kind == netv1.PolicyTypeIngress) == (way == ingress) {
			return true
		}
	}
	return false
}

func (v View) peers(namespace string, given []netv1.NetworkPolicyPeer, way direction) []peer {
	if len(given) == 0 {
		return []peer{{"", v.Pods}}
	}
	var found []peer
	for _, one := range given {
		if block := one.IPBlock; block != nil {
			found = append(found, peer{blockMatch(block, way), nil})
			continue
		}
		var pods []Pod
		var addresses []string
		for _, pod := range v.Pods {
			if v.selects(one, namespace, pod) {
				pods = append(pods, pod)
				addresses = append(addresses, pod.Addresses...)
			}
		}
		if len(addresses) > 0 {
			found = append(found, peer{"ip " + way.peer + " " + set(addresses), pods})
		}
	}
	return found
}

func (v View) selects(one netv1.NetworkPolicyPeer, namespace string, pod Pod) bool {
	if one.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if one.NamespaceSelector != nil && !matches(one.NamespaceSelector, v.Namespaces[pod.Namespace]) {
		return false
	}
	return one.PodSelector == nil || matches(one.PodSelector, pod.Labels)
}

func blockMatch(block *netv1.IPBlock, way direction) string {
	family := "ip"
	if strings.Contains(block.CIDR, ":") {
		family = "ip6"
	}
	match := family + " " + way.peer + " " + block.CIDR
	for _, except := range block.Except {
		match += " " + family + " " + way.peer + " != " + except
	}
	return match
}

// allowed are the lines of one rule. Ports by name are those of the pod itself on its way in, and those of each pod
// that it may reach on its way out.
func allowed(peers []peer, ports []netv1.NetworkPolicyPort, itself *Pod) []string {
	var lines []string
	for _, one := range peers {
		if len(ports) == 0 {
			lines = append(lines, line(one.match, ""))
		}
		for _, port := range ports {
			protocol := "tcp"
			if port.Protocol != nil {
				protocol = strings.ToLower(string(*port.Protocol))
			}
			switch {
			case port.Port == nil:
				lines = append(lines, line(one.match, "meta l4proto "+protocol))
			case port.Port.StrVal == "" && port.EndPort != nil:
				lines = append(lines, line(one.match, fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort)))
			case port.Port.StrVal == "":
				lines = append(lines, line(one.match, fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal)))
			case itself != nil:
				for _, number := range numbers(*itself, port.Port.StrVal, protocol) {
					lines = append(lines, line(one.match, fmt.Sprintf("%s dport %d", protocol, number)))
				}
			default:
				for _, pod := range one.pods {
					for _, number := range numbers(pod, port.Port.StrVal, protocol) {
						lines = append(lines, line("ip daddr "+set(pod.Addresses), fmt.Sprintf("%s dport %d", protocol, number)))
					}
				}
			}
		}
	}
	return lines
}

func numbers(pod Pod, name string, protocol string) []int32 {
	var found []int32
	for _, port := range pod.Ports {
		given := string(port.Protocol)
		if given == "" {
			given = "tcp"
		}
		if port.Name == name && strings.EqualFold(given, protocol) {
			found = append(found, port.ContainerPort)
		}
	}
	return found
}

func line(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(append(parts, "return"), " ")), " ")
}

func set(members []string) string {
	sorted := append([]string{}, members...)
	sort.Strings(sorted)
	return "{ " + strings.Join(sorted, ", ") + " }"
}

func matches(selector *metav1.LabelSelector, of labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(of)
}
