#include "launch/render/train_backends.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "launch/render/job.h"
#include "launch/render/pod.h"
#include "launch/render/train.h"
#include "launch/render/trainer_arguments.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int64_t kPort = 29500;

int64_t GraceSeconds(const Component& component) {
  // Time for the checkpoint, then for the end of the process.
  return component.params.Int("preemption_grace_seconds") + 30;
}

std::string EvalName(const Component& component) {
  return component.object() + "-eval";
}

PodOptions TrainerPod(const Job& job) {
  PodOptions options;
  options.command = {"t2t-trainer"};
  options.arguments = TrainerArguments(
      job.component, job.component.params.String("schedule").empty()
                         ? (job.evaluator ? "train" : "")
                         : job.component.params.String("schedule"));
  if (job.workers * std::max<int64_t>(job.gpus, 1) > 1) {
    options.arguments.push_back(FlagArgument(
        "expect_world_size",
        std::to_string(job.workers * std::max<int64_t>(job.gpus, 1))));
  }
  if (job.component.version >= 2) {
    // Within terminationGracePeriodSeconds, by GraceSeconds().
    options.arguments.push_back(FlagArgument(
        "preemption_grace_seconds",
        std::to_string(job.component.params.Int("preemption_grace_seconds"))));
  }
  options.variables = {
      {"OMP_NUM_THREADS", std::to_string(Threads(job.component))}};
  options.shm = 1;
  options.grace = GraceSeconds(job.component);
  options.role = "worker";
  return options;
}

// Where nothing but the flag tells a process to start one rank a GPU.
void AddGpuRanks(const Job& job, PodOptions* options) {
  if (job.gpus > 1) {
    options->arguments.push_back(
        FlagArgument("worker_gpu", std::to_string(job.gpus)));
  }
}

PodOptions EvaluatorPod(const Component& component) {
  PodOptions options;
  options.command = {"t2t-trainer"};
  options.arguments = TrainerArguments(component, "continuous_eval");
  options.variables = {{"OMP_NUM_THREADS", std::to_string(Threads(component))}};
  options.grace = 30;
  options.role = "evaluator";
  options.shm = 1;
  return options;
}

Json Head(const Job& job, const std::string& api_version,
          const std::string& kind) {
  Json head = ObjectHead(job.component, api_version, kind, job.name);
  const std::string queue = job.component.params.String("queue");
  if (!queue.empty()) {
    Json metadata = head.At("metadata");
    Json labels = metadata.At("labels");
    labels.Set("kueue.x-k8s.io/queue-name", queue);
    metadata.Set("labels", labels);
    head.Set("metadata", metadata);
  }
  return head;
}

// Gang scheduling where the workload's own kind knows nothing of it.
void AddPodGroup(const Job& job, Json* pod, std::vector<Json>* objects) {
  if (job.gang != "volcano" || job.workers < 2) return;
  Json spec = pod->At("spec");
  spec.Set("schedulerName", "volcano");
  pod->Set("spec", spec);
  Json metadata = pod->At("metadata");
  metadata.Set("annotations",
               Object({{"scheduling.k8s.io/group-name", job.name}}));
  pod->Set("metadata", metadata);
  Json group = ObjectHead(job.component, "scheduling.volcano.sh/v1beta1",
                          "PodGroup", job.name);
  group.Set("spec", Object({{"minMember", job.workers}}));
  objects->push_back(group);
}

void UseVolcano(const Job& job, Json* pod) {
  if (job.gang != "volcano") return;
  Json spec = pod->At("spec");
  spec.Set("schedulerName", "volcano");
  pod->Set("spec", spec);
}

// runPolicy of Kubeflow's kinds.
Json RunPolicy(const Job& job, const std::string& clean) {
  const Params& params = job.component.params;
  Json policy =
      Object({{"cleanPodPolicy", clean},
              {"backoffLimit", job.retries},
              {"ttlSecondsAfterFinished", params.Int("ttl_seconds")}});
  if (params.Int("deadline_seconds") > 0) {
    policy.Set("activeDeadlineSeconds", params.Int("deadline_seconds"));
  }
  if (job.gang == "volcano") {
    policy.Set("schedulingPolicy",
               Object({{"minAvailable", job.workers + job.ps}}));
  }
  return policy;
}

Json HeadlessService(const Component& component, const std::string& name,
                     Json selector) {
  Json service = ObjectHead(component, "v1", "Service", name);
  service.Set(
      "spec",
      Object({{"clusterIP", "None"},
              // Ranks look for each other before any of them is ready.
              {"publishNotReadyAddresses", true},
              {"selector", std::move(selector)},
              {"ports",
               List({Object({{"name", "rendezvous"}, {"port", kPort}})})}}));
  return service;
}

void AddEvaluatorJob(const Job& job, std::vector<Json>* objects) {
  if (!job.evaluator) return;
  PodOptions options = EvaluatorPod(job.component);
  options.restart_policy = "Never";
  Json eval = Head(job, "batch/v1", "Job");
  Json metadata = eval.At("metadata");
  metadata.Set("name", EvalName(job.component));
  eval.Set("metadata", metadata);
  eval.Set("spec", JobSpec(job.component, PodTemplate(job.component, options),
                           options.container, 0, 0, job.retries));
  objects->push_back(eval);
}

void RenderJob(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  options.restart_policy = "Never";
  AddGpuRanks(job, &options);
  const bool many = job.workers > 1;
  if (many) {
    options.subdomain = job.name;
    options.ports = {{"rendezvous", kPort}};
    options.variables.emplace_back("JOB_COMPLETIONS",
                                   std::to_string(job.workers));
    options.variables.emplace_back("MASTER_ADDR", job.name + "-0." + job.name);
    options.variables.emplace_back("MASTER_PORT", std::to_string(kPort));
    objects->push_back(HeadlessService(job.component, job.name,
                                       Selector(job.component, "worker")));
  }
  Json pod = PodTemplate(job.component, options);
  AddPodGroup(job, &pod, objects);
  Json workload = Head(job, "batch/v1", "Job");
  // One lost rank makes all of them start again: each counts.
  workload.Set("spec", JobSpec(job.component, pod, options.container,
                               many ? job.workers : 0, job.workers,
                               job.retries * job.workers));
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

// The template of JobSet's one replicated Job.
Json ReplicatedJobSpec(const Job& job, Json pod, const std::string& container,
                       bool sized) {
  Json spec = Json::Object();
  if (sized) {
    spec.Set("completionMode", "Indexed");
    spec.Set("completions", job.workers);
    spec.Set("parallelism", job.workers);
  }
  // The JobSet starts all of them again.
  spec.Set("backoffLimit", 0);
  spec.Set("podFailurePolicy", PodFailurePolicy(container));
  if (job.component.params.Int("deadline_seconds") > 0) {
    spec.Set("activeDeadlineSeconds",
             job.component.params.Int("deadline_seconds"));
  }
  spec.Set("template", std::move(pod));
  return spec;
}

Json JobSetFailurePolicy(const Job& job) {
  return Object({{"maxRestarts", job.retries},
                 {"rules", List({Object({{"name", "permanent"},
                                         {"action", "FailJobSet"},
                                         {"onJobFailureReasons",
                                          List({"PodFailurePolicy"})}})})}});
}

void RenderJobSet(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  options.restart_policy = "Never";
  AddGpuRanks(job, &options);
  options.ports = {{"rendezvous", kPort}};
  if (job.workers > 1) {
    options.variables.emplace_back("JOB_COMPLETIONS",
                                   std::to_string(job.workers));
    options.variables.emplace_back("MASTER_ADDR",
                                   job.name + "-worker-0-0." + job.name);
    options.variables.emplace_back("MASTER_PORT", std::to_string(kPort));
  }
  Json pod = PodTemplate(job.component, options);
  AddPodGroup(job, &pod, objects);
  Json workload = Head(job, "jobset.x-k8s.io/v1alpha2", "JobSet");
  workload.Set(
      "spec",
      Object(
          {{"network", Object({{"enableDNSHostnames", true},
                               {"publishNotReadyAddresses", true},
                               {"subdomain", job.name}})},
           {"failurePolicy", JobSetFailurePolicy(job)},
           {"ttlSecondsAfterFinished", job.component.params.Int("ttl_seconds")},
           {"replicatedJobs",
            List({Object(
                {{"name", "worker"},
                 {"replicas", 1},
                 {"template", Object({{"spec", ReplicatedJobSpec(
                                                   job, pod, options.container,
                                                   /*sized=*/true)}})}})})}}));
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

void RenderTrainJob(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  options.restart_policy = "Never";
  options.container = "node";
  options.ports = {{"rendezvous", kPort}};
  Json pod = PodTemplate(job.component, options);
  AddPodGroup(job, &pod, objects);
  Json runtime = ObjectHead(job.component, "trainer.kubeflow.org/v1alpha1",
                            "TrainingRuntime", job.name);
  Json metadata = runtime.At("metadata");
  Json labels = metadata.At("labels");
  labels.Set("trainer.kubeflow.org/framework", "torch");
  metadata.Set("labels", labels);
  runtime.Set("metadata", metadata);
  Json step = Object(
      {{"metadata",
        Object(
            {{"labels", Object({{"trainer.kubeflow.org/trainjob-ancestor-step",
                                 "trainer"}})}})},
       {"spec",
        ReplicatedJobSpec(job, pod, options.container, /*sized=*/false)}});
  runtime.Set(
      "spec",
      Object({{"mlPolicy",
               Object({{"numNodes", job.workers}, {"torch", Json::Object()}})},
              {"template",
               Object({{"spec",
                        Object({{"failurePolicy", JobSetFailurePolicy(job)},
                                {"network",
                                 Object({{"publishNotReadyAddresses", true}})},
                                {"replicatedJobs",
                                 List({Object({{"name", "node"},
                                               {"template", step}})})}})}})}}));
  objects->push_back(runtime);
  Json workload = Head(job, "trainer.kubeflow.org/v1alpha1", "TrainJob");
  workload.Set(
      "spec",
      Object({{"runtimeRef", Object({{"apiGroup", "trainer.kubeflow.org"},
                                     {"kind", "TrainingRuntime"},
                                     {"name", job.name}})},
              {"trainer",
               Object({{"numNodes", job.workers},
                       {"numProcPerNode", std::max<int64_t>(job.gpus, 1)}})}}));
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

Json Replica(int64_t replicas, const std::string& restart_policy, Json pod) {
  Json replica = Object({{"replicas", replicas}});
  if (!restart_policy.empty()) replica.Set("restartPolicy", restart_policy);
  replica.Set("template", std::move(pod));
  return replica;
}

void RenderPyTorchJob(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  options.container = "pytorch";
  options.ports = {{"pytorchjob-port", kPort}};
  Json pod = PodTemplate(job.component, options);
  UseVolcano(job, &pod);
  Json replicas = Object({{"Master", Replica(1, "ExitCode", pod)}});
  if (job.workers > 1) {
    replicas.Set("Worker", Replica(job.workers - 1, "ExitCode", pod));
  }
  Json workload = Head(job, "kubeflow.org/v1", "PyTorchJob");
  Json spec = Json::Object();
  if (job.gpus > 1) spec.Set("nprocPerNode", std::to_string(job.gpus));
  spec.Set("runPolicy", RunPolicy(job, "Running"));
  spec.Set("pytorchReplicaSpecs", replicas);
  workload.Set("spec", spec);
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

void RenderTfJob(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  AddGpuRanks(job, &options);
  options.container = "tensorflow";
  options.ports = {{"tfjob-port", 2222}};
  Json pod = PodTemplate(job.component, options);
  UseVolcano(job, &pod);
  Json replicas = Object({{"Chief", Replica(1, "ExitCode", pod)}});
  if (job.workers > 1) {
    replicas.Set("Worker", Replica(job.workers - 1, "ExitCode", pod));
  }
  if (job.ps > 0) {
    PodOptions server = options;
    server.gpus = false;
    server.role = "ps";
    Json server_pod = PodTemplate(job.component, server);
    UseVolcano(job, &server_pod);
    replicas.Set("PS", Replica(job.ps, "ExitCode", server_pod));
  }
  if (job.evaluator) {
    PodOptions evaluator = EvaluatorPod(job.component);
    evaluator.container = "tensorflow";
    Json evaluator_pod = PodTemplate(job.component, evaluator);
    UseVolcano(job, &evaluator_pod);
    replicas.Set("Evaluator", Replica(1, "ExitCode", evaluator_pod));
  }
  Json workload = Head(job, "kubeflow.org/v1", "TFJob");
  workload.Set("spec", Object({{"runPolicy", RunPolicy(job, "Running")},
                               {"tfReplicaSpecs", replicas}}));
  objects->push_back(workload);
}

// The first TFJob operator: it has no policy by exit code in the manifest, but
// draws the same line itself (from 128 on: again).
void RenderTfJobV1Alpha1(const Job& job, std::vector<Json>* objects) {
  PodOptions options = TrainerPod(job);
  AddGpuRanks(job, &options);
  options.container = "tensorflow";
  options.restart_policy = "OnFailure";
  Json replicas = Json::Array();
  const auto add = [&](const char* type, int64_t count, const PodOptions& pod) {
    if (count == 0) return;
    replicas.Append(Object({{"replicas", count},
                            {"tfReplicaType", type},
                            {"template", PodTemplate(job.component, pod)}}));
  };
  add("MASTER", 1, options);
  add("WORKER", job.workers - 1, options);
  PodOptions server = options;
  server.gpus = false;
  server.role = "ps";
  add("PS", job.ps, server);
  Json workload = Head(job, "kubeflow.org/v1alpha1", "TFJob");
  workload.Set("spec", Object({{"replicaSpecs", replicas}}));
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

// The Pod with mpirun, which starts `ranks` trainers on the workers and hands
// on to them every variable that it has.
PodOptions MpiLauncher(const Job& job, const PodOptions& trainer,
                       const std::string& rank0, int64_t ranks) {
  PodOptions launcher = trainer;
  launcher.container = "launcher";
  launcher.role = "launcher";
  launcher.gpus = false;
  launcher.cpu = "1";
  launcher.memory = "1Gi";
  launcher.shm = 0;
  launcher.variables.emplace_back("MASTER_ADDR", rank0);
  launcher.variables.emplace_back("MASTER_PORT", std::to_string(kPort));
  launcher.command = {"mpirun"};
  launcher.arguments = {"-np", std::to_string(ranks), "--bind-to", "none"};
  std::vector<std::string> names;
  for (const auto& [name, value] : launcher.variables) names.push_back(name);
  for (const char* const param : {"env", "secret_env"}) {
    for (const auto& [name, value] : job.component.params.Map(param)) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    launcher.arguments.push_back("-x");
    launcher.arguments.push_back(name);
  }
  launcher.arguments.push_back("t2t-trainer");
  launcher.arguments.insert(launcher.arguments.end(), trainer.arguments.begin(),
                            trainer.arguments.end());
  return launcher;
}

// mpirun in the launcher starts the ranks on the workers.
void RenderMpiJob(const Job& job, bool v2, std::vector<Json>* objects) {
  const std::string rank0 = job.name + "-rank0";
  const int64_t slots = std::max<int64_t>(job.gpus, 1);
  const PodOptions trainer = TrainerPod(job);
  PodOptions launcher = MpiLauncher(job, trainer, rank0, job.workers * slots);
  PodOptions worker = trainer;
  worker.container = "worker";
  worker.variables.clear();
  worker.arguments.clear();
  if (v2) {
    worker.command = {"/usr/sbin/sshd", "-De", "-f",
                      "/home/mpiuser/.sshd_config"};
    launcher.restart_policy = "Never";
  } else {
    // The operator's launcher comes in by "kubectl exec", with an account of
    // the operator's making.
    worker.command = {"sleep", "infinity"};
    launcher.service_account = false;
  }
  Json launcher_pod = PodTemplate(job.component, launcher);
  Json worker_pod = PodTemplate(job.component, worker);
  if (!v2) {
    UseVolcano(job, &launcher_pod);
    UseVolcano(job, &worker_pod);
  }
  Json service =
      HeadlessService(job.component, rank0,
                      Object({{"training.kubeflow.org/job-name", job.name},
                              {"training.kubeflow.org/replica-index", "0"},
                              {"t2t.dev/role", "worker"}}));
  objects->push_back(service);
  Json workload =
      Head(job, v2 ? "kubeflow.org/v2beta1" : "kubeflow.org/v1", "MPIJob");
  Json spec = Object({{"slotsPerWorker", slots}});
  spec.Set("runPolicy", RunPolicy(job, "Running"));
  if (v2) spec.Set("sshAuthMountPath", "/home/mpiuser/.ssh");
  // mpirun ends with 1 also when a node is lost, so no code is permanent here.
  const std::string launcher_policy = v2 ? "" : "OnFailure";
  spec.Set("mpiReplicaSpecs",
           Object({{"Launcher", Replica(1, launcher_policy, launcher_pod)},
                   {"Worker", Replica(job.workers, "OnFailure", worker_pod)}}));
  workload.Set("spec", spec);
  objects->push_back(workload);
  AddEvaluatorJob(job, objects);
}

}  // namespace

const std::vector<std::pair<std::string, Renderer>>& Renderers() {
  static const auto* const renderers =
      new std::vector<std::pair<std::string, Renderer>>{
          {"jobset", RenderJobSet},
          {"trainjob", RenderTrainJob},
          {"pytorchjob", RenderPyTorchJob},
          {"tfjob", RenderTfJob},
          {"mpijob",
           [](const Job& job, std::vector<Json>* objects) {
             RenderMpiJob(job, /*v2=*/true, objects);
           }},
          {"mpijob-v1",
           [](const Job& job, std::vector<Json>* objects) {
             RenderMpiJob(job, /*v2=*/false, objects);
           }},
          {"tfjob-v1alpha1", RenderTfJobV1Alpha1},
          {"job", RenderJob}};
  return *renderers;
}

Json TrialJob(const Component& component, const std::string& name,
              const std::vector<std::string>& arguments) {
  const Params& params = component.params;
  const Job job{
      component, name, 1, params.Int("gpus"), 0, false, params.Int("retries"),
      "none"};
  PodOptions options = TrainerPod(job);
  options.restart_policy = "Never";
  AddGpuRanks(job, &options);
  for (const std::string& argument : arguments) {
    PutFlag(argument, &options.arguments);
  }
  Json workload = Head(job, "batch/v1", "Job");
  workload.Set("spec", JobSpec(component, PodTemplate(component, options),
                               options.container, 0, 0, job.retries));
  return workload;
}

}  // namespace t2t
