using System.Globalization;

namespace Tern.Pipelines.Study;

/// <summary>Errors in what a cell learns from: imperfect supervision.</summary>
/// <param name="WrongPositiveShare">Part of the examples whose positive is exchanged for one of their negatives; teacher scores stay with their documents.</param>
/// <param name="TeacherNoise">Standard deviation of noise on teacher scores, in standard deviations of the scores.</param>
public sealed record StudyErrors(double WrongPositiveShare, double TeacherNoise)
{
    public static StudyErrors None { get; } = new(0, 0);

    /// <summary>What a cell's name has after its seed.</summary>
    internal string Suffix => WrongPositiveShare > 0 ? string.Create(CultureInfo.InvariantCulture, $"-wrong{WrongPositiveShare}")
        : TeacherNoise > 0 ? string.Create(CultureInfo.InvariantCulture, $"-noise{TeacherNoise}") : "";
}

/// <summary>A sweep over errors in the supervision: these sizes are trained again at every level, with every type and objective that the errors touch.</summary>
public sealed record StudyRobustness
{
    /// <summary>Names of sizes of the plan.</summary>
    public required IReadOnlyList<string> Sizes { get; init; }

    /// <summary>Seeds of the plan to take; all of them where empty.</summary>
    public IReadOnlyList<int> Seeds { get; set; } = [];

    /// <summary>Levels of <see cref="StudyErrors.WrongPositiveShare"/>, for all objectives.</summary>
    public IReadOnlyList<double> WrongPositiveShares { get; set; } = [];

    /// <summary>Levels of <see cref="StudyErrors.TeacherNoise"/>, for objectives with a teacher.</summary>
    public IReadOnlyList<double> TeacherNoises { get; set; } = [];
}
