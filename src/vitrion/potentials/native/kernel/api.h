// The C interface that Python loads with ctypes. Functions that can fail return a sentence, or a null
// pointer when all is well; the sentence lives until the next call on the same object.
#pragma once
#include <stdint.h>

extern "C" {

struct vitrion_model;
struct vitrion_workspace;

int32_t vitrion_lanes();       // floats in a vector of this variant
int32_t vitrion_best_lanes();  // of the widest variant that this CPU and operating system can run

vitrion_model* vitrion_model_new(int32_t elements, int32_t layers, int32_t channels, int32_t l_max, int32_t rank,
                                 int32_t nodes, double start, double cutoff);
const char* vitrion_model_set(vitrion_model* model, const char* name, const double* values, int64_t count);
const char* vitrion_model_finish(vitrion_model* model);
void vitrion_model_free(vitrion_model* model);

vitrion_workspace* vitrion_workspace_new();
int64_t vitrion_workspace_builds(const vitrion_workspace* workspace);
void vitrion_workspace_free(vitrion_workspace* workspace);

// Arrays as in Systems and Results; energies, forces, virials and features may be null. A model may
// be used by several threads at once, a workspace by one at a time.
const char* vitrion_evaluate(const vitrion_model* model, vitrion_workspace* workspace, int32_t count,
                             const int32_t* sizes, const int32_t* elements, const double* positions,
                             const double* cells, const int32_t* periodic, double skin, double* energies,
                             double* forces, double* virials, double* features, int32_t* status);

// Seconds in each of 16 stages since the last call; zeros unless compiled with VITRION_PROFILE.
void vitrion_workspace_seconds(vitrion_workspace* workspace, double* seconds);
}
