#include "api.h"

#include <exception>
#include <memory>
#include <new>

#include "evaluate.h"
#include "model.h"

struct vitrion_model {
  std::unique_ptr<vitrion::Model> model;  // null if the size was refused
  std::string error;
};

struct vitrion_workspace {
  vitrion::Workspace workspace;
  std::string error;
};

namespace {

// Run `work`; turn what it throws into a sentence.
template <class Work>
const char* guarded(std::string& error, const Work& work) {
  try {
    work();
    return nullptr;
  } catch (const std::bad_alloc&) {
    error = "The memory does not suffice for this evaluation.";
  } catch (const std::exception& failure) {
    error = failure.what();
  }
  return error.c_str();
}

}  // namespace

extern "C" {

int32_t vitrion_lanes() { return vitrion::kLanes; }

int32_t vitrion_best_lanes() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return 16;
  if (avx2) return 8;
#endif
  return 4;
}

vitrion_model* vitrion_model_new(int32_t elements, int32_t layers, int32_t channels, int32_t l_max, int32_t rank,
                                 int32_t nodes, double start, double cutoff) {
  auto* made = new (std::nothrow) vitrion_model;
  if (made)
    guarded(made->error, [&] {
      made->model = std::make_unique<vitrion::Model>(
          vitrion::Size{elements, layers, channels, l_max, rank, nodes, start, cutoff});
    });
  return made;
}

const char* vitrion_model_set(vitrion_model* model, const char* name, const double* values, int64_t count) {
  if (!model->model) return model->error.c_str();
  return guarded(model->error, [&] { model->model->set(name, values, static_cast<size_t>(count)); });
}

const char* vitrion_model_finish(vitrion_model* model) {
  if (!model->model) return model->error.c_str();
  return guarded(model->error, [&] { model->model->finish(); });
}

void vitrion_model_free(vitrion_model* model) { delete model; }

vitrion_workspace* vitrion_workspace_new() { return new (std::nothrow) vitrion_workspace; }
int64_t vitrion_workspace_builds(const vitrion_workspace* workspace) { return workspace->workspace.list_builds(); }
void vitrion_workspace_free(vitrion_workspace* workspace) { delete workspace; }

const char* vitrion_evaluate(const vitrion_model* model, vitrion_workspace* workspace, int32_t count,
                             const int32_t* sizes, const int32_t* elements, const double* positions,
                             const double* cells, const int32_t* periodic, double skin, double* energies,
                             double* forces, double* virials, double* features, int32_t* status) {
  if (!model->model || !model->model->finished) return "The model is not finished.";
  const char* failure = guarded(workspace->error, [&] {
    workspace->workspace.evaluate(*model->model, {count, sizes, elements, positions, cells, periodic},
                                  {energies, forces, virials, features, status}, skin);
  });
  if (failure) return failure;
  return workspace->workspace.message.empty() ? nullptr : workspace->workspace.message.c_str();
}

void vitrion_workspace_seconds(vitrion_workspace* workspace, double* seconds) {
  std::vector<double>& spent = workspace->workspace.seconds;
  spent.resize(16);
  for (int k = 0; k < 16; k++) seconds[k] = spent[k];
  spent.assign(16, 0);
}
}
