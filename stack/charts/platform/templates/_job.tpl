{{/* A job that runs to its end before the workloads are made or changed. Takes (dict "root" $ "name" NAME "job" JOB).
     It runs before the release's own objects are there, so it has no service account and no volume of the release. */}}
{{- define "platform.job" -}}
{{- $where := dict "root" .root "process" .name -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "platform.fullname" $where }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "platform.labels" $where | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    # A failed one stays, to be looked at, until the next try.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: {{ .root.Values.job.backoffLimit }}
  activeDeadlineSeconds: {{ int .job.within }}
  template:
    metadata:
      labels: {{- include "platform.labels" $where | nindent 8 }}
    spec:
      {{- include "platform.podBase" . | nindent 6 }}
      automountServiceAccountToken: false
      restartPolicy: Never
      containers:
        - name: {{ .name }}
          {{- include "platform.containerBase" (dict "root" .root "process" .job) | nindent 10 }}
          env: {{- include "platform.env" (dict "root" .root "env" dict) | nindent 12 }}
          resources: {{- include "platform.resources" (dict "root" .root "own" .root.Values.job.resources) | nindent 12 }}
          volumeMounts: {{- include "platform.mounts" (dict "root" .root "shared" dict "own" dict) | nindent 12 }}
      volumes: {{- include "platform.volumes" (dict "root" .root "shared" dict "claimed" nil "etc" .job.etc "scratch" .root.Values.workload.scratch) | nindent 8 }}
{{- end }}
