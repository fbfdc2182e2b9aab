{{/* A claim that several workloads mount. */}}
{{- define "platform.sharedVolumes" -}}
{{- range $name, $volume := .Values.sharedVolumes }}
{{- if not $volume.existingClaim }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ $.Values.component }}-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "platform.labels" (dict "root" $) | nindent 4 }}
  # An uninstalled release leaves what was written.
  annotations: {helm.sh/resource-policy: keep}
spec:
  accessModes: [{{ $volume.accessMode }}]
  {{- with $volume.storageClass | default $.Values.storageClass | default $.Values.defaultStorageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: {requests: {storage: {{ $volume.size }}}}
{{- end }}
{{- end }}
{{- end }}

{{/* For the Prometheus Operator, where it is. */}}
{{- define "platform.serviceMonitor" -}}
{{- with .Values.serviceMonitor }}
{{- if $.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ $.Values.component }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "platform.labels" (dict "root" $) | nindent 4 }}
spec:
  selector:
    matchLabels: {{- include "platform.selector" (dict "root" $ "process" (.process | default $.Values.service.process)) | nindent 6 }}
      data-platform/members: "true"
  endpoints:
    - port: {{ include "platform.port" .endpoint }}
      path: {{ .path }}
      interval: {{ .interval | default "30s" }}
      {{- with .scheme }}
      scheme: {{ . }}
      {{- end }}
      {{- with .login }}
      basicAuth: {username: {name: {{ . }}, key: username}, password: {name: {{ . }}, key: password}}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Pods of a component among themselves. What comes from and goes to other components is allowed by the namespaces' rules,
     which are derived from calls and claims. */}}
{{- define "platform.networkPolicy" -}}
{{- if .Values.networkPolicy.peers }}
{{- $peers := dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" .Values.component)) }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Values.component }}-peers
  namespace: {{ .Release.Namespace }}
  labels: {{- include "platform.labels" (dict "root" .) | nindent 4 }}
spec:
  podSelector: {{- toYaml $peers.podSelector | nindent 4 }}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{{ toJson $peers }}]}]
  egress: [{to: [{{ toJson $peers }}]}]
{{- end }}
{{- end }}

{{/* A way in for people, through the site's own ingress controller or gateway. */}}
{{- define "platform.expose" -}}
{{- with .Values.expose }}
{{- $labels := include "platform.labels" (dict "root" $) }}
---
{{- if eq .kind "Ingress" }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $.Values.component }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  ingressClassName: {{ required "expose.className: which ingress controller?" .className }}
  {{- with .tlsSecret }}
  tls: [{hosts: [{{ $.Values.expose.host }}], secretName: {{ . }}}]
  {{- end }}
  rules:
    - host: {{ .host }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ $.Values.component }}, port: {name: {{ include "platform.port" .endpoint }}}}}
{{- else }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $.Values.component }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
spec:
  parentRefs: [{{ required "expose.gateway: which gateway?" .gateway | toJson }}]
  hostnames: [{{ .host }}]
  rules:
    - backendRefs: [{name: {{ $.Values.component }}, port: {{ (get $.Values.endpoints .endpoint).port | int }}}]
{{- end }}
{{- end }}
{{- end }}
