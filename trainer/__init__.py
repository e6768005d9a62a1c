"""What programs, benchmarks and tests share: data, networks, devices and runs that survive being killed.

Imports point one way: command_line <- data, networks, parallel <- run <- image_classifier, language_model.
"""
