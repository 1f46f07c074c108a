using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Mean squared difference of student's and teacher's margins of the positive (column 0) over each negative.</summary>
internal static unsafe class MarginMse
{
    public static void Forward(WorkerPool pool, Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
        Check(student, teacher);
        Operand.CheckVector(losses, student.Rows);
        pool.Run(
            student.Rows,
            (student, teacher, inverseTemperature, losses),
            static (row, s) =>
            {
                float* student = s.student.Floats(row);
                float* teacher = s.teacher.Floats(row);
                int count = s.student.Columns;
                double sum = 0;
                for (int j = 1; j < count; j++)
                {
                    float error = MarginError(student, teacher, s.inverseTemperature, j);
                    sum += (double)error * error;
                }

                s.losses.Floats(0)[row] = (float)(sum / (count - 1));
            });
    }

    /// <summary>With e_j the margin's error: ∂loss/∂student[j] = −2 s e_j / (M − 1), and ∂loss/∂student[0] is minus their sum.</summary>
    public static void Backward(WorkerPool pool, Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
        Check(student, teacher);
        Operand.Check(accumulateDStudent, student.Rows, student.Columns);
        pool.Run(
            student.Rows,
            (student, teacher, inverseTemperature, weight, accumulateDStudent),
            static (row, s) =>
            {
                float* student = s.student.Floats(row);
                float* teacher = s.teacher.Floats(row);
                float* dStudent = s.accumulateDStudent.Floats(row);
                int count = s.student.Columns;
                float scale = 2 * s.weight * s.inverseTemperature / (count - 1);
                double sum = 0;
                for (int j = 1; j < count; j++)
                {
                    float gradient = scale * MarginError(student, teacher, s.inverseTemperature, j);
                    dStudent[j] -= gradient;
                    sum += gradient;
                }

                dStudent[0] += (float)sum;
            });
    }

    private static float MarginError(float* student, float* teacher, float inverseTemperature, int j) =>
        (inverseTemperature * (student[0] - student[j])) - (teacher[0] - teacher[j]);

    private static void Check(Tensor student, Tensor teacher)
    {
        if (student.Columns < 2)
        {
            Operand.Fail(nameof(student), $"Float32[{student.Rows}, at least 2 candidates]", student);
        }

        Operand.Check(student);
        Operand.Check(teacher, student.Rows, student.Columns);
    }
}
