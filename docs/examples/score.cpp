// Score an image with a graph that was exported --with-preprocessing: print its score and verdict.
//
//     score GRAPH.onnx IMAGE.ppm
//
// The image is an 8-bit RGB picture in the binary PPM format ("P6"); in a program of your own, any
// decoder or camera that gives rows of red, green and blue bytes takes its place.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

struct Image {
    int64_t height = 0;
    int64_t width = 0;
    std::vector<uint8_t> pixels;  // height * width * 3, row by row
};

Image read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    int largest = 0;
    Image image;
    file >> kind >> image.width >> image.height >> largest;
    if (!file || kind != "P6" || largest != 255 || image.width < 1 || image.height < 1) {
        throw std::runtime_error(path + " is not a binary PPM picture of 8 bits.");
    }
    file.get();  // the single white space before the pixels
    image.pixels.resize(static_cast<size_t>(image.height * image.width * 3));
    file.read(reinterpret_cast<char*>(image.pixels.data()), image.pixels.size());
    if (!file) {
        throw std::runtime_error(path + " ends before its last pixel.");
    }
    return image;
}

int main(int count, char** arguments) try {
    if (count != 3) {
        std::fprintf(stderr, "usage: score GRAPH.onnx IMAGE.ppm\n");
        return 2;
    }
    Image image = read_ppm(arguments[2]);

    // Load the graph once and keep the session; it may be run from several threads.
    Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "moeclip");
#ifdef _WIN32
    const std::string name = arguments[1];
    Ort::Session session(environment, std::wstring(name.begin(), name.end()).c_str(), Ort::SessionOptions{});
#else
    Ort::Session session(environment, arguments[1], Ort::SessionOptions{});
#endif
    Ort::AllocatorWithDefaultOptions allocator;
    auto text = session.GetModelMetadata().LookupCustomMetadataMapAllocated("moeclip.threshold", allocator);
    if (!text) {
        throw std::runtime_error(std::string(arguments[1]) + " was not exported by moeclip.");
    }
    const double threshold = std::strtod(text.get(), nullptr);

    const int64_t shape[] = {1, image.height, image.width, 3};
    auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Value input = Ort::Value::CreateTensor<uint8_t>(memory, image.pixels.data(), image.pixels.size(), shape, 4);
    const char* inputs[] = {"images"};
    const char* outputs[] = {"score"};
    auto found = session.Run(Ort::RunOptions{}, inputs, &input, 1, outputs, 1);

    const float score = found[0].GetTensorData<float>()[0];
    std::printf("%.4f %s\n", score, score >= threshold ? "anomalous" : "normal");
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
