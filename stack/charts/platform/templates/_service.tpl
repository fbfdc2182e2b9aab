{{/* A Service. Takes (dict "root" $ "process" NAME "name" NAME "ports" DICT "headless" BOOL "selector" DICT "members" BOOL);
     members: the one of a process's Services that has each of its pods, for who asks all of them (ServiceMonitor). */}}
{{- define "platform.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "platform.labels" . | nindent 4 }}
    {{- if .members }}
    data-platform/members: "true"
    {{- end }}
  {{- if not .headless }}
  {{- with .root.Values.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
spec:
  type: ClusterIP
  {{- if .headless }}
  clusterIP: None
  # Members find each other before they are ready: that is how they become it.
  publishNotReadyAddresses: true
  {{- else }}
  {{- with .root.Values.service.sessionAffinity }}
  sessionAffinity: {{ . }}
  {{- end }}
  {{- end }}
  selector: {{- include "platform.selector" . | nindent 4 }}
    {{- with .selector }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    {{- range $name, $number := .ports }}
    - {name: {{ include "platform.port" $name }}, port: {{ $number }}, targetPort: {{ include "platform.port" $name }}}
    {{- end }}
{{- end }}

{{/* The component's Service, and one without an address of its own for each StatefulSet. */}}
{{- define "platform.services" -}}
{{- with .Values.service.process }}
{{- $ports := include "platform.ports" (dict "root" $ "process" .) | fromYaml }}
{{- $settings := include "platform.settings" (dict "root" $ "process" .) | fromYaml }}
---
{{ include "platform.service" (dict "root" $ "process" . "name" $.Values.component "ports" $ports "members" (ne $settings.kind "StatefulSet")) }}
{{- end }}
{{- range $process, $_ := .Values.processes }}
{{- $settings := include "platform.settings" (dict "root" $ "process" $process) | fromYaml }}
{{- if eq $settings.kind "StatefulSet" }}
{{- $where := dict "root" $ "process" $process }}
---
{{ include "platform.service" (merge (dict "name" (include "platform.fullname" $where) "headless" true "members" true "ports" (include "platform.ports" $where | fromYaml)) $where) }}
{{- end }}
{{- end }}
{{- end }}
