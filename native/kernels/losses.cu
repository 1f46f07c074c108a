// Losses of one query's candidates a block, rows [B, M] without gaps, with s = inverse temperature:
//   InfoNCE: −log softmax(s · x)[label];            d += w · s · (softmax(s · x) − [label])
//   KL:      KL(softmax(t) ‖ softmax(s · x));       d += w · s · (softmax(s · x) − softmax(t))
//   Margin:  mean over j ≥ 1 of e_j², e_j = s · (x_0 − x_j) − (t_0 − t_j);  d_j −= w · 2s/(M−1) · e_j, d_0 += their sum
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int losses_threads = 256;

// log Σ exp(factor · row) as the greatest of factor · row and what is above it; every thread gets both.
struct LogSumExp {
    float greatest, above;
};
TERN_DEVICE LogSumExp log_sum_exp(const float* row, float factor, int columns, shared<float> partial) {
    float greatest = bits_float(0xff800000u);
    for (int i = threadIdx.x; i < columns; i += losses_threads) greatest = fmaxf(greatest, factor * row[i]);
    greatest = block_max<losses_threads>(greatest, partial);
    float sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += losses_threads) sum += exp_float(factor * row[i] - greatest);
    return {greatest, log_float(block_sum<losses_threads>(sum, partial))};
}

TERN_KERNEL(256, tern_info_nce_forward_f32)(const float* scores, const int* labels, float inverse_temperature, int rows, int columns, float* log_sum_exps, float* losses) {
    TERN_SHARED(float, partial, losses_threads / 32);
    const float* row = scores + (i64)blockIdx.x * columns;
    LogSumExp total = log_sum_exp(row, inverse_temperature, columns, partial);
    if (threadIdx.x == 0) {
        log_sum_exps[blockIdx.x] = total.greatest + total.above;
        losses[blockIdx.x] = total.above - (inverse_temperature * row[labels[blockIdx.x]] - total.greatest);
    }
}
TERN_EMULATE(tern_info_nce_forward_f32)

TERN_KERNEL(256, tern_info_nce_backward_f32)(const float* scores, const int* labels, const float* log_sum_exps, float inverse_temperature, float weight, int rows, int columns, float* accumulate_d_scores) {
    const float* row = scores + (i64)blockIdx.x * columns;
    float* d = accumulate_d_scores + (i64)blockIdx.x * columns;
    float total = log_sum_exps[blockIdx.x], scale = weight * inverse_temperature;
    int label = labels[blockIdx.x];
    for (int i = threadIdx.x; i < columns; i += losses_threads) d[i] += scale * (exp_float(inverse_temperature * row[i] - total) - (i == label ? 1.0f : 0.0f));
}
TERN_EMULATE(tern_info_nce_backward_f32)

TERN_KERNEL(256, tern_kl_divergence_forward_f32)(const float* student, const float* teacher, float inverse_temperature, int rows, int columns, float* losses) {
    TERN_SHARED(float, partial, losses_threads / 32);
    const float* x = student + (i64)blockIdx.x * columns;
    const float* t = teacher + (i64)blockIdx.x * columns;
    LogSumExp of_student = log_sum_exp(x, inverse_temperature, columns, partial);
    LogSumExp of_teacher = log_sum_exp(t, 1.0f, columns, partial);
    float student_total = of_student.greatest + of_student.above, teacher_total = of_teacher.greatest + of_teacher.above;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += losses_threads) {
        float log_p = t[i] - teacher_total, p = exp_float(log_p);
        if (p != 0.0f) sum += p * (log_p - (inverse_temperature * x[i] - student_total));   // what the teacher excludes adds nothing
    }
    sum = block_sum<losses_threads>(sum, partial);
    if (threadIdx.x == 0) losses[blockIdx.x] = sum;
}
TERN_EMULATE(tern_kl_divergence_forward_f32)

TERN_KERNEL(256, tern_kl_divergence_backward_f32)(const float* student, const float* teacher, float inverse_temperature, float weight, int rows, int columns, float* accumulate_d_student) {
    TERN_SHARED(float, partial, losses_threads / 32);
    const float* x = student + (i64)blockIdx.x * columns;
    const float* t = teacher + (i64)blockIdx.x * columns;
    float* d = accumulate_d_student + (i64)blockIdx.x * columns;
    LogSumExp of_student = log_sum_exp(x, inverse_temperature, columns, partial);
    LogSumExp of_teacher = log_sum_exp(t, 1.0f, columns, partial);
    float student_total = of_student.greatest + of_student.above, teacher_total = of_teacher.greatest + of_teacher.above;
    float scale = weight * inverse_temperature;
    for (int i = threadIdx.x; i < columns; i += losses_threads)
        d[i] += scale * (exp_float(inverse_temperature * x[i] - student_total) - exp_float(t[i] - teacher_total));
}
TERN_EMULATE(tern_kl_divergence_backward_f32)

TERN_DEVICE float margin_error(const float* x, const float* t, float inverse_temperature, int j) { return inverse_temperature * (x[0] - x[j]) - (t[0] - t[j]); }

TERN_KERNEL(256, tern_margin_mse_forward_f32)(const float* student, const float* teacher, float inverse_temperature, int rows, int columns, float* losses) {
    TERN_SHARED(float, partial, losses_threads / 32);
    const float* x = student + (i64)blockIdx.x * columns;
    const float* t = teacher + (i64)blockIdx.x * columns;
    float sum = 0.0f;
    for (int j = 1 + threadIdx.x; j < columns; j += losses_threads) {
        float error = margin_error(x, t, inverse_temperature, j);
        sum = fmaf(error, error, sum);
    }
    sum = block_sum<losses_threads>(sum, partial);
    if (threadIdx.x == 0) losses[blockIdx.x] = sum / (float)(columns - 1);
}
TERN_EMULATE(tern_margin_mse_forward_f32)

TERN_KERNEL(256, tern_margin_mse_backward_f32)(const float* student, const float* teacher, float inverse_temperature, float weight, int rows, int columns, float* accumulate_d_student) {
    TERN_SHARED(float, partial, losses_threads / 32);
    const float* x = student + (i64)blockIdx.x * columns;
    const float* t = teacher + (i64)blockIdx.x * columns;
    float* d = accumulate_d_student + (i64)blockIdx.x * columns;
    float scale = weight * 2.0f * inverse_temperature / (float)(columns - 1), sum = 0.0f;
    for (int j = 1 + threadIdx.x; j < columns; j += losses_threads) {
        float error = margin_error(x, t, inverse_temperature, j);
        d[j] -= scale * error;
        sum += error;
    }
    sum = block_sum<losses_threads>(sum, partial);
    if (threadIdx.x == 0) d[0] += scale * sum;
}
TERN_EMULATE(tern_margin_mse_backward_f32)
