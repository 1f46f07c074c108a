using Microsoft.Extensions.Options;

namespace Tern;

/// <summary>Names every value that cannot be, with what it should be.</summary>
internal sealed class TernOptionsValidation : IValidateOptions<TernOptions>
{
    public ValidateOptionsResult Validate(string? name, TernOptions options)
    {
        string prefix = string.IsNullOrEmpty(name) ? nameof(TernOptions) : $"{nameof(TernOptions)} '{name}'";
        var failures = new List<string>();
        Check(options.ModelDirectory.Length == 0 || Directory.Exists(options.ModelDirectory), $"{nameof(options.ModelDirectory)} '{options.ModelDirectory}' does not exist");
        Check(options.Threads >= 0, $"{nameof(options.Threads)} is {options.Threads}; it must be 0 (all processors) or more");
        Check(options.MaxBatchTokens >= 1, $"{nameof(options.MaxBatchTokens)} is {options.MaxBatchTokens}; it must be at least 1");
        Check(options.MaxBatchTexts >= 1, $"{nameof(options.MaxBatchTexts)} is {options.MaxBatchTexts}; it must be at least 1");
        Check(options.MaxQueueDelay >= TimeSpan.Zero && options.MaxQueueDelay <= TimeSpan.FromDays(1), $"{nameof(options.MaxQueueDelay)} is {options.MaxQueueDelay}; it must be between 0 and a day");
        Check(options.QueueCapacity >= 1, $"{nameof(options.QueueCapacity)} is {options.QueueCapacity}; it must be at least 1");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Check(bool holds, string failure)
        {
            if (!holds)
            {
                failures.Add($"{prefix}: {failure}");
            }
        }
    }
}
