{{/* The checkout by git-sync, in the place of the image's. What it is made of is a value that the target writes, out of what
     the values say (targets/kubernetes/checkout.py): pods of tasks have the same. */}}

{{/* Refuse what only the chart was told: tasks would run another commit. */}}
{{- define "platform.checkoutGuard" -}}
{{- if or .Values.gitSync .Values.checkout }}
{{- $said := dict "gitSync" .Values.gitSync "gitSyncResources" .Values.gitSyncResources }}
{{- if ne (toJson $said) (toJson (.Values.checkout | default dict).said) }}
{{- fail "gitSync: tasks do not know of it; say it in values.<size>.yaml or in the environment, then write the definition again (docs/how-to/kubernetes.md)" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Before and beside a server. */}}
{{- define "platform.checkoutContainers" -}}
{{- with .root.Values.checkout }}
initContainers: {{- toYaml .containers | nindent 2 }}
{{- end }}
{{- end }}

{{- define "platform.checkoutMount" -}}
{{- with .root.Values.checkout }}
- {{ toJson .mount }}
{{- end }}
{{- end }}

{{- define "platform.checkoutVolumes" -}}
{{- with .root.Values.checkout }}
{{ toYaml .volumes }}
{{- end }}
{{- end }}
