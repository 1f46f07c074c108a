using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>KL(softmax(teacher) ‖ softmax(s · student)) per row; s is the inverse temperature.</summary>
internal static unsafe class KlDivergence
{
    public static void Forward(WorkerPool pool, Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
        Operand.Check(student);
        Operand.Check(teacher, student.Rows, student.Columns);
        Operand.CheckVector(losses, student.Rows);
        pool.Run(
            student.Rows,
            (student, teacher, inverseTemperature, losses),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (row, s) =>
            {
                float* student = s.student.Floats(row);
                float* teacher = s.teacher.Floats(row);
                int count = s.student.Columns;
                Vector256<float> factor = Vector256.Create(s.inverseTemperature);
                Vector256<float> studentTotal = Vector256.Create(VectorMath.LogSumExp(student, s.inverseTemperature, count));
                Vector256<float> teacherTotal = Vector256.Create(VectorMath.LogSumExp(teacher, 1, count));
                Vector256<float> sum = default;
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    int left = count - i;
                    Vector256<float> teacherLog = VectorMath.Load(teacher + i, left) - teacherTotal;
                    Vector256<float> studentLog = (factor * VectorMath.Load(student + i, left)) - studentTotal;
                    Vector256<float> probability = VectorMath.Exp(teacherLog);

                    // A candidate of no probability adds nothing, even where its logarithm is −∞.
                    Vector256<float> term = Vector256.AndNot(probability * (teacherLog - studentLog), Vector256.Equals(probability, Vector256<float>.Zero));
                    sum += left >= VectorMath.Lanes ? term : term & VectorMath.TailMask(left);
                }

                s.losses.Floats(0)[row] = VectorMath.Sum(sum);
            });
    }

    /// <summary>∂loss/∂student = s · (softmax(s · student) − softmax(teacher)).</summary>
    public static void Backward(WorkerPool pool, Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
        Operand.Check(student);
        Operand.Check(teacher, student.Rows, student.Columns);
        Operand.Check(accumulateDStudent, student.Rows, student.Columns);
        pool.Run(
            student.Rows,
            (student, teacher, inverseTemperature, weight, accumulateDStudent),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (row, s) =>
            {
                float* student = s.student.Floats(row);
                float* teacher = s.teacher.Floats(row);
                float* dStudent = s.accumulateDStudent.Floats(row);
                int count = s.student.Columns;
                Vector256<float> factor = Vector256.Create(s.inverseTemperature);
                Vector256<float> scale = Vector256.Create(s.weight * s.inverseTemperature);
                Vector256<float> studentTotal = Vector256.Create(VectorMath.LogSumExp(student, s.inverseTemperature, count));
                Vector256<float> teacherTotal = Vector256.Create(VectorMath.LogSumExp(teacher, 1, count));
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    int left = count - i;
                    Vector256<float> difference = VectorMath.Exp((factor * VectorMath.Load(student + i, left)) - studentTotal)
                        - VectorMath.Exp(VectorMath.Load(teacher + i, left) - teacherTotal);
                    VectorMath.Store(VectorMath.MultiplyAdd(scale, difference, VectorMath.Load(dStudent + i, left)), dStudent + i, left);
                }
            });
    }
}
