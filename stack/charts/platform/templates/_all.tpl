{{/* Everything that an ordinary component has. */}}
{{- define "platform.all" -}}
{{- include "platform.guard" . }}
{{- include "platform.serviceAccount" . }}
{{- range $name, $job := .Values.jobs }}
---
{{ include "platform.job" (dict "root" $ "name" $name "job" $job) }}
{{- end }}
{{- include "platform.sharedVolumes" . }}
{{- include "platform.services" . }}
{{- range $process, $_ := .Values.processes }}
{{- $where := dict "root" $ "process" $process }}
---
{{ include "platform.workload" $where }}
---
{{ include "platform.podDisruptionBudget" $where }}
{{- end }}
{{- include "platform.networkPolicy" . }}
{{- include "platform.serviceMonitor" . }}
{{- include "platform.expose" . }}
{{- end }}
