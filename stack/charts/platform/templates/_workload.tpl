{{/* One Deployment or StatefulSet. Takes (dict "root" $ "process" NAME). */}}
{{- define "platform.workload" -}}
{{- $root := .root -}}
{{- $process := get $root.Values.processes .process -}}
{{- $settings := include "platform.settings" . | fromYaml -}}
{{- $shared := include "platform.shared" . | fromYaml -}}
{{- $stateful := eq $settings.kind "StatefulSet" -}}
{{- $many := gt (int $settings.replicas) 1 -}}
{{- if and $settings.storage (not $stateful) }}
{{- fail (printf "workloads.%s: storage needs kind StatefulSet" .process) }}
{{- end }}
apiVersion: apps/v1
kind: {{ $settings.kind }}
metadata:
  name: {{ include "platform.fullname" . }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "platform.labels" . | nindent 4 }}
spec:
  replicas: {{ int $settings.replicas }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "platform.selector" . | nindent 6 }}
  {{- if $stateful }}
  serviceName: {{ include "platform.fullname" . }}
  podManagementPolicy: {{ $settings.podManagementPolicy }}
  {{- $claims := dict }}
  {{- with $settings.storage }}{{ $_ := set $claims "data" . }}{{ end }}
  {{- range $name, $volume := $settings.volumes }}{{ $_ := set $claims $name $volume.size }}{{ end }}
  {{- with $claims }}
  volumeClaimTemplates:
    {{- range $name, $size := . }}
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: {{ $name }}
        labels: {{- include "platform.selector" $ | nindent 10 }}
          app.kubernetes.io/part-of: data-platform
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $root.Values.storageClass | default $root.Values.defaultStorageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $size }}}}
    {{- end }}
  {{- end }}
  {{- else }}
  strategy:
    type: {{ $settings.strategy.type }}
    {{- if eq $settings.strategy.type "RollingUpdate" }}
    rollingUpdate: {maxSurge: {{ $settings.strategy.maxSurge }}, maxUnavailable: {{ $settings.strategy.maxUnavailable }}}
    {{- end }}
  {{- end }}
  template:
    metadata:
      labels: {{- include "platform.labels" . | nindent 8 }}
        {{- with $settings.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $settings.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "platform.podBase" . | nindent 6 }}
      {{- $account := hasKey $root.Values.accounts .process }}
      serviceAccountName: {{ if $account }}{{ include "platform.fullname" . }}{{ else }}{{ $root.Values.component }}{{ end }}
      automountServiceAccountToken: {{ and $root.Values.serviceAccount.automount $settings.apiServer }}
      terminationGracePeriodSeconds: {{ $settings.terminationGracePeriodSeconds | default (add $process.stopSeconds 2) }}
      {{- if and $many $settings.topologySpread }}
      topologySpreadConstraints:
        - labelSelector:
            matchLabels: {{- include "platform.selector" . | nindent 14 }}
          {{- toYaml $settings.topologySpread | nindent 10 }}
      {{- end }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
      {{- with get $settings $key }}
      {{ $key }}: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- end }}
      {{- end }}
      {{- include "platform.checkoutContainers" . | nindent 6 }}
      containers:
        - name: {{ .process }}
          {{- include "platform.containerBase" (dict "root" $root "process" $process) | nindent 10 }}
          env: {{- include "platform.env" (dict "root" $root "env" $settings.env) | nindent 12 }}
          {{- $ports := include "platform.ports" . | fromYaml }}
          {{- with $ports }}
          ports:
            {{- range $name, $number := . }}
            - {name: {{ include "platform.port" $name }}, containerPort: {{ $number }}}
            {{- end }}
          {{- end }}
          {{- include "platform.probes" (dict "process" $process "settings" $settings) | trim | nindent 10 }}
          {{- with $settings.lifecycle }}
          lifecycle: {{- toYaml . | nindent 12 }}
          {{- end }}
          resources: {{- include "platform.resources" (dict "root" $root "own" $settings.resources) | nindent 12 }}
          volumeMounts: {{- include "platform.mounts" (dict "root" $root "shared" $shared "own" $settings.volumes "secrets" $settings.secrets) | nindent 12 }}
            {{- include "platform.checkoutMount" . | nindent 12 }}
      volumes: {{- include "platform.volumes" (dict "root" $root "shared" $shared "claimed" $settings.storage "etc" $process.etc "scratch" $settings.scratch "secrets" $settings.secrets) | nindent 8 }}
        {{- include "platform.checkoutVolumes" . | nindent 8 }}
{{- end }}

{{/* Ports of a process: all endpoints for the one that the component's Service stands for, and its own. YAML. */}}
{{- define "platform.ports" -}}
{{- $settings := include "platform.settings" . | fromYaml -}}
{{- $found := dict -}}
{{- $only := $settings.endpoints -}}
{{- range $name, $endpoint := .root.Values.endpoints }}
{{- if or (has $name ($only | default list)) (and (not $only) (eq $.process $.root.Values.service.process)) }}
{{- $_ := set $found $name (int $endpoint.port) }}
{{- end }}
{{- end }}
{{- range $name, $port := $settings.ports }}
{{- $_ := set $found $name (int $port) }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* Pods that may be away at a time, for workloads of several. */}}
{{- define "platform.podDisruptionBudget" -}}
{{- $settings := include "platform.settings" . | fromYaml -}}
{{- if and (gt (int $settings.replicas) 1) $settings.podDisruptionBudget }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "platform.fullname" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "platform.labels" . | nindent 4 }}
spec:
  {{- toYaml $settings.podDisruptionBudget | nindent 2 }}
  # A pod that does not work anyway must not keep a node from being emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "platform.selector" . | nindent 6 }}
{{- end }}
{{- end }}
