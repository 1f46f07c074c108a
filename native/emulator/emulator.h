/* The emulated kernels as a C library. Device pointers are host pointers. One launch at a time. */
#ifndef TERN_EMULATOR_H
#define TERN_EMULATOR_H
#ifdef __cplusplus
extern "C" {
#endif

/* seed 0 runs threads in order, others in an order drawn from it; workers: OS threads, 0 for one a processor;
   check_races: record who wrote and read shared memory between barriers. Holds for the launches that follow. */
void tern_emulator_configure(unsigned seed, unsigned workers, int check_races);

int tern_emulator_kernel_count(void);
const char *tern_emulator_kernel_name(int index);
/* Types of the parameters: "const f32*,i64,f32*". */
const char *tern_emulator_kernel_signature(int index);
/* Threads of a block, from the kernel's launch bounds. */
unsigned tern_emulator_kernel_threads(int index);
/* -1: no kernel of that name. */
int tern_emulator_find(const char *name);

/* Launches and waits; arguments as for cuLaunchKernel. 0, or a driver error code with the reason in
   tern_emulator_error(), which stays valid until the next launch. */
int tern_emulator_launch(int index, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                         unsigned block_z, unsigned shared_bytes, void **arguments);
const char *tern_emulator_error(void);

/* A tensor map, 128 bytes: boxes of box_rows x 64 bf16 elements, swizzled over 128 bytes, of a matrix [rows, columns] whose
   rows are pitch elements apart. */
void tern_emulator_tensor_map(void *map, const void *matrix, unsigned long long rows, unsigned long long columns,
                              unsigned long long pitch, unsigned box_rows);

#ifdef __cplusplus
}
#endif
#endif
