// llama.cpp's side of the comparison: answers requests on its input, one JSON object a line, as Tern's worker does.
// Built against a llama.cpp that the user has (include/llama.h and lib/libllama.so under one directory): see blocks.sh.
// usage: worker WORK_DIRECTORY THREADS
#include <llama.h>
#include <ggml.h>
#include <ggml-backend.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// The text after "name": in a flat JSON object; requests have neither nesting nor escapes.
std::string field(const std::string & line, const std::string & name, const std::string & otherwise = "")
{
    const std::string key = "\"" + name + "\":";
    size_t begin = line.find(key);
    if (begin == std::string::npos) return otherwise;
    begin = line.find_first_not_of(' ', begin + key.size());
    if (line[begin] == '"') return line.substr(begin + 1, line.find('"', begin + 1) - begin - 1);
    return line.substr(begin, line.find_first_of(",}", begin) - begin);
}

using Document = std::vector<llama_token>;

// documents-SET.i32: how many, the length of each, then all ids.
std::vector<Document> read_documents(const std::string & path)
{
    std::ifstream file(path, std::ios::binary);
    int32_t count = 0;
    if (!file.read(reinterpret_cast<char *>(&count), sizeof count)) throw std::runtime_error("cannot read " + path);
    std::vector<int32_t> lengths(count);
    file.read(reinterpret_cast<char *>(lengths.data()), count * sizeof(int32_t));
    std::vector<Document> documents;
    for (int32_t length : lengths)
    {
        documents.emplace_back(length);
        file.read(reinterpret_cast<char *>(documents.back().data()), length * sizeof(int32_t));
    }
    return documents;
}

struct FreeModel { void operator()(llama_model * model) const { llama_model_free(model); } };
struct FreeContext { void operator()(llama_context * context) const { llama_free(context); } };

// Batches of whole texts through one model, the longest texts first.
class Encoding
{
public:
    Encoding(const std::string & work, const std::string & set, const std::string & precision, int batch, bool in_order, bool flash, int threads)
        : documents(read_documents(work + "/documents-" + set + ".i32"))
    {
        const std::string path = work + "/gguf/blocks-" + precision + ".gguf";
        model.reset(llama_model_load_from_file(path.c_str(), llama_model_default_params()));
        if (!model) throw std::runtime_error("llama.cpp does not load " + path);
        std::vector<int> order(documents.size());
        std::iota(order.begin(), order.end(), 0);
        if (!in_order) std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return documents[a].size() > documents[b].size(); });
        size_t largest = 0;
        for (size_t start = 0; start < order.size(); start += batch)
        {
            batches.emplace_back(order.begin() + start, order.begin() + std::min(order.size(), start + batch));
            size_t tokens = 0;
            for (int i : batches.back()) tokens += documents[i].size();
            largest = std::max(largest, tokens);
        }
        llama_context_params params = llama_context_default_params();
        params.n_ctx = params.n_batch = params.n_ubatch = static_cast<uint32_t>(largest);
        params.n_seq_max = batch;
        params.n_threads = params.n_threads_batch = threads;
        params.embeddings = true;
        params.pooling_type = LLAMA_POOLING_TYPE_NONE; // Its mean is of the states as they are; this model's, of each made length 1.
        params.attention_type = LLAMA_ATTENTION_TYPE_NON_CAUSAL;
        params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        context.reset(llama_init_from_model(model.get(), params));
        if (!context) throw std::runtime_error("llama.cpp makes no context for " + path);
        tokens = llama_batch_init(static_cast<int32_t>(largest), 0, 1);
        dimension = llama_model_n_embd(model.get());
        vectors.resize(documents.size() * dimension);
    }

    Encoding(const Encoding &) = delete;
    Encoding & operator=(const Encoding &) = delete;

    ~Encoding() { llama_batch_free(tokens); }

    void run()
    {
        for (const std::vector<int> & members : batches)
        {
            tokens.n_tokens = 0;
            for (size_t sequence = 0; sequence < members.size(); sequence++)
            {
                const Document & document = documents[members[sequence]];
                for (size_t i = 0; i < document.size(); i++)
                {
                    const int at = tokens.n_tokens++;
                    tokens.token[at] = document[i];
                    tokens.pos[at] = static_cast<llama_pos>(i);
                    tokens.n_seq_id[at] = 1;
                    tokens.seq_id[at][0] = static_cast<llama_seq_id>(sequence);
                    tokens.logits[at] = 1;
                }
            }
            if (llama_encode(context.get(), tokens) != 0) throw std::runtime_error("llama_encode failed");
            const float * states = llama_get_embeddings(context.get()); // [tokens, dimension]
            for (int member : members)
            {
                pool(states, documents[member].size(), vectors.data() + static_cast<size_t>(member) * dimension);
                states += documents[member].size() * dimension;
            }
        }
    }

    std::vector<float> vectors; // [documents, dimension], in the documents' order

private:
    // The mean of the states [length, dimension], each divided by its length.
    void pool(const float * states, size_t length, float * mean) const
    {
        std::fill(mean, mean + dimension, 0.f);
        for (size_t i = 0; i < length; i++, states += dimension)
        {
            float squares = 0;
            for (int j = 0; j < dimension; j++) squares += states[j] * states[j];
            const float scale = 1.f / (std::sqrt(squares) * length);
            for (int j = 0; j < dimension; j++) mean[j] += states[j] * scale;
        }
    }

    std::vector<Document> documents;
    std::vector<std::vector<int>> batches;
    std::unique_ptr<llama_model, FreeModel> model;
    std::unique_ptr<llama_context, FreeContext> context;
    llama_batch tokens{};
    int dimension = 0;
};

double processor_seconds()
{
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

std::string list(const std::vector<double> & values)
{
    std::string text;
    for (double value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
    return "[" + text + "]";
}

void quiet(ggml_log_level level, const char * text, void *)
{
    if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

} // namespace

int main(int argc, char ** argv)
{
    if (argc != 3)
    {
        std::fputs("usage: worker WORK_DIRECTORY THREADS\n", stderr);
        return 2;
    }
    const int threads = std::atoi(argv[2]);
    llama_log_set(quiet, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
    std::cout << "{\"name\": \"llama.cpp " << llama_version() << ", ggml " << ggml_version() << ", " << threads << " threads\"}" << std::endl;
    std::unique_ptr<Encoding> encoding;
    std::string present;
    for (std::string line; std::getline(std::cin, line);)
    {
        try
        {
            const std::string set = field(line, "set"), precision = field(line, "precision"), batch = field(line, "batch"), in_order = field(line, "in_order"), flash = field(line, "flash", "false");
            const std::string key = set + '|' + precision + '|' + batch + '|' + in_order + '|' + flash;
            if (key != present)
            {
                present.clear();
                encoding.reset();
                encoding = std::make_unique<Encoding>(argv[1], set, precision, std::stoi(batch), in_order == "true", flash == "true", threads);
                present = key;
            }
            for (int i = std::stoi(field(line, "warm", "1")); i > 0; i--) encoding->run();
            std::vector<double> seconds, processor;
            for (int i = std::stoi(field(line, "repeat", "1")); i > 0; i--)
            {
                const double processor_start = processor_seconds();
                const auto start = std::chrono::steady_clock::now();
                encoding->run();
                seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
                processor.push_back(processor_seconds() - processor_start);
            }
            if (const std::string output = field(line, "output"); !output.empty())
                std::ofstream(output, std::ios::binary).write(reinterpret_cast<const char *>(encoding->vectors.data()), encoding->vectors.size() * sizeof(float));
            std::cout << "{\"seconds\": " << list(seconds) << ", \"processor_seconds\": " << list(processor) << "}" << std::endl;
        }
        catch (const std::exception & error)
        {
            present.clear();
            std::cout << "{\"error\": \"" << error.what() << "\"}" << std::endl;
        }
    }
    encoding.reset();
    llama_backend_free();
    return 0;
}
